/* What every guest shares: types, console, strings, exceptions, page tables. */
#pragma once
typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long u64;
typedef signed char s8;
typedef short s16;
typedef int s32;
typedef long s64;
typedef unsigned long size_t;
typedef unsigned __int128 u128;
typedef __int128 s128;

#define NULL ((void *)0)
#define COUNT(a) (sizeof(a) / sizeof *(a))
#define NOINLINE __attribute__((noinline))
#define READ(reg) ({ u64 value_; __asm__ volatile("mrs %0, " #reg : "=r"(value_)); value_; })
#define WRITE(reg, v) __asm__ volatile("msr " #reg ", %0" ::"r"((u64)(v)) : "memory")
#define ISB() __asm__ volatile("isb" ::: "memory")
#define DSB() __asm__ volatile("dsb sy" ::: "memory")
#define UART 0x09000000UL

/* console.c */
void put_char(char c);
void put_string(const char *s);
int print(const char *format, ...) __attribute__((format(printf, 1, 2)));
int format_into(char *buffer, size_t size, const char *format, ...) __attribute__((format(printf, 3, 4)));
extern u64 uart_base;

/* string.c */
void *memcpy(void *to, const void *from, size_t n);
void *memmove(void *to, const void *from, size_t n);
void *memset(void *to, int c, size_t n);
int memcmp(const void *a, const void *b, size_t n);
size_t strlen(const char *s);
int strcmp(const char *a, const char *b);
char *strcpy(char *to, const char *from);
u32 checksum(const void *data, size_t n);
u64 random64(void);

/* power.c */
u64 psci(u64 function, u64 a, u64 b, u64 c);
void power_off(void) __attribute__((noreturn));
void reset(void) __attribute__((noreturn));

/* vectors.S: what an exception saved. The handler may change it; it goes back by ERET. */
struct frame { u64 x[31], sp_el0, elr, spsr, esr, far; };
/* kind: 4 x (0 EL1 with SP_EL0, 1 EL1, 2 EL0, 3 AArch32) + (0 sync, 1 IRQ, 2 FIQ, 3 SError) */
void on_exception(struct frame *frame, u32 kind);
void describe(struct frame *frame, u32 kind);
extern char vectors[];

/* exception.c: a probe runs f and gives its ESR if it aborted, else 0. */
struct probe { u64 esr, far, elr, spsr; int taken; };
extern struct probe probe;
u64 probing(u64 (*f)(u64), u64 argument);
u64 probe_read(u64 address, int size);
u64 probe_write(u64 address, int size, u64 value);
u64 probe_execute(u64 address);
extern u64 probe_value;

/* mmu.c: page tables of any granule, levels and address size. */
struct space { u64 *root; int page, bits, asid; };
#define P_VALID 1UL
#define P_DEVICE (0UL << 2)
#define P_NORMAL (1UL << 2)
#define P_NORMAL_NC (2UL << 2)
#define P_USER (1UL << 6)
#define P_RO (1UL << 7)
#define P_SHARED (3UL << 8)
#define P_AF (1UL << 10)
#define P_NG (1UL << 11)
#define P_PXN (1UL << 53)
#define P_UXN (1UL << 54)
#define P_KERNEL (P_NORMAL | P_SHARED | P_AF | P_UXN)
#define P_KERNEL_DATA (P_KERNEL | P_PXN)
#define P_IO (P_DEVICE | P_AF | P_UXN | P_PXN)
void *page_alloc(int log2);
void page_pool(u64 start, u64 end);
void space_init(struct space *s, int page, int bits);
int block_log2(const struct space *s, int level);
int first_level(const struct space *s);
u64 *space_entry(struct space *s, u64 va, int level, int create);
void map_at(struct space *s, u64 va, u64 pa, int level, u64 attributes);
void map_range(struct space *s, u64 va, u64 pa, u64 size, u64 attributes);
u64 tcr_of(const struct space *low, const struct space *high);
void mmu_on(u64 ttbr0, u64 ttbr1, u64 tcr, u64 sctlr_set);
void tlbi_all(void);
void tlbi_va(u64 va, int asid);
extern struct space identity;
void identity_map(int page, int bits);
void identity_on(void);
#define MAIR_DEFAULT 0x44ff00UL /* 0 Device-nGnRnE, 1 write-back, 2 non-cacheable */

extern char image_start[], image_end[], stack_top[], text_end[];
int main(u64 device_tree);
