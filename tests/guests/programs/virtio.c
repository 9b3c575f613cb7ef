/* A virtio console and a source of random numbers: registers, features, configuration, control messages, input and output. */
#include "guest.h"

#define R32(a) (*(volatile u32 *)(a))
#define R16(a) (*(volatile u16 *)(a))
#define R8(a) (*(volatile u8 *)(a))
#define SLOT(n) (0x0a000000UL + (n) * 0x200UL)
#define SIZE 8

struct queue { u64 slot; u32 number; u8 *base; u16 available, used; };
struct buffer { void *at; u32 length; u32 written; };
static u8 memory[8][0x2000] __attribute__((aligned(4096)));

static u8 *used_of(struct queue *q) { return q->base + 0x1000; }
static void queue_init(struct queue *q, u64 slot, u32 number, u8 *base) {
  *q = (struct queue){ slot, number, base, 0, 0 }; memset(base, 0, 0x2000);
  R32(slot + 0x30) = number; print("queue %u most %u page %x", number, R32(slot + 0x34), R32(slot + 0x40));
  R32(slot + 0x38) = SIZE; R32(slot + 0x3c) = 4096; R32(slot + 0x40) = (u32)((u64)base >> 12); print(" now %d\n", R32(slot + 0x40) == (u64)base >> 12);
}
static void offer(struct queue *q, struct buffer b) {
  u8 *d = q->base + 16 * (q->available % SIZE);
  *(volatile u64 *)d = (u64)b.at; *(volatile u32 *)(d + 8) = b.length; *(volatile u16 *)(d + 12) = b.written ? 2 : 0;
  u8 *ring = q->base + 16 * SIZE; R16(ring + 4 + 2 * (q->available % SIZE)) = q->available % SIZE; q->available++;
  DSB(); R16(ring + 2) = q->available; DSB();
}
static void notify(struct queue *q) { R32(q->slot + 0x50) = q->number; }
static u32 wait_used(struct queue *q) {
  for (u32 i = 0; i < 100000000 && R16(used_of(q) + 2) == q->used; i++) ;
  if (R16(used_of(q) + 2) == q->used) { print("nothing came\n"); return 0; }
  u32 length = R32(used_of(q) + 4 + 8 * (q->used % SIZE) + 4); q->used++; return length;
}
static void acknowledge(u64 slot) { print("interrupts %x", R32(slot + 0x60)); R32(slot + 0x64) = 1; print(" then %x\n", R32(slot + 0x60)); }
static void look(u64 slot) {
  print("magic %x version %x id %x vendor %x", R32(slot), R32(slot + 4), R32(slot + 8), R32(slot + 12));
  for (u32 i = 0; i < 3; i++) { R32(slot + 0x14) = i; print(" features%u %x", i, R32(slot + 0x10)); }
  print("\nconfiguration"); for (u32 o = 0; o < 20; o += 4) print(" %x", R32(slot + 0x100 + o)); print(" %x %x %x\n", R8(slot + 0x104), R16(slot + 0x104), R8(slot + 0x10c));
}
static void start(u64 slot, u32 features) { R32(slot + 0x70) = 0; R32(slot + 0x70) = 1; R32(slot + 0x70) = 3; R32(slot + 0x24) = 0; R32(slot + 0x20) = features; R32(slot + 0x28) = 4096; }

static struct queue receive, transmit, control_in, control_out;
static u8 messages[SIZE][16], inbox[SIZE][4] __attribute__((unused));
static void control(u32 port, u16 event, u16 value) {
  static u8 message[8] __attribute__((aligned(8))); *(u32 *)message = port; *(u16 *)(message + 4) = event; *(u16 *)(message + 6) = value;
  offer(&control_out, (struct buffer){ message, 8, 0 }); notify(&control_out); print("sent %u %u %u, used %u\n", port, event, value, wait_used(&control_out));
}
static void answers(void) {
  while (R16(used_of(&control_in) + 2) != control_in.used) {
    u8 *m = messages[control_in.used % SIZE]; u32 length = wait_used(&control_in);
    print("answer of %u: port %u event %u value %u\n", length, *(u32 *)m, *(u16 *)(m + 4), *(u16 *)(m + 6));
    offer(&control_in, (struct buffer){ m, 16, 1 });
  }
}
static void put(const char *text) { offer(&transmit, (struct buffer){ (void *)text, (u32)strlen(text), 0 }); notify(&transmit); print("transmitted, used %u\n", wait_used(&transmit)); }

int main(u64 device_tree) {
  u64 console = SLOT(31), rng = SLOT(30);
  look(console); look(rng); look(SLOT(29));
  for (u32 q = 0; q < 70; q++) { R32(console + 0x30) = q; print("%u ", R32(console + 0x34)); } print("\n");
  R32(console + 0x108) = '!'; print(" emergency %x\n", R32(console + 0x108)); R8(console + 0x100) = 7; print(" columns %x %x\n", R32(console + 0x100), R32(console + 0x108)); R16(console + 0x10a) = 0x4142; print(" %x\n", R32(console + 0x108));
  R32(console + 0x108) = 0; R32(console + 0x10c) = '?'; print("behind %x\n", R32(console + 0x108));

  start(rng, 0); struct queue numbers; queue_init(&numbers, rng, 0, memory[0]); R32(rng + 0x70) = 7; print("status %x\n", R32(rng + 0x70));
  static u64 random[64]; offer(&numbers, (struct buffer){ random, 20, 1 }); notify(&numbers); print("random of 20: used %u, third %s, fourth %lx\n", wait_used(&numbers), random[2] ? "some" : "none", random[3]);
  print("%s\n", random[0] != random[1] ? "differ" : "same"); acknowledge(rng);
  offer(&numbers, (struct buffer){ random, 512, 1 }); offer(&numbers, (struct buffer){ random, 8, 1 }); notify(&numbers); print("used %u", wait_used(&numbers)); print(" %u\n", wait_used(&numbers)); acknowledge(rng);

  for (u32 several = 0; several < 2; several++) {
    start(console, several ? 2 : 0); print("-- %s\n", several ? "several ports" : "one port");
    queue_init(&receive, console, 0, memory[1]); queue_init(&transmit, console, 1, memory[2]);
    queue_init(&control_in, console, 2, memory[3]); queue_init(&control_out, console, 3, memory[4]);
    R32(console + 0x70) = 7;
    put("before anything\n");
    for (u32 i = 0; i < 6; i++) offer(&control_in, (struct buffer){ messages[i], 16, 1 });
    notify(&control_in); answers();
    control(0, 0, 0); answers(); control(0, 0, 1); answers(); control(1, 3, 1); answers(); control(0, 3, 0); answers(); control(0, 3, 1); answers();
    control(0, 9, 1); answers(); control(0, 6, 1); answers();
    acknowledge(console);
    put("hello\n"); put("again\n"); acknowledge(console);
    struct queue other; queue_init(&other, console, 5, memory[5]); offer(&other, (struct buffer){ "lost\n", 5, 0 }); notify(&other); print("other port, used %u\n", R16(used_of(&other) + 2));
    R32(console + 0x50) = 200;
#ifdef INPUT
    for (u32 i = 0; i < 3; i++) offer(&receive, (struct buffer){ inbox[i], 1, 1 });
    notify(&receive);
    for (u32 i = 0; i < 3; i++) { u32 n = wait_used(&receive); print("received %u: %c\n", n, inbox[i][0]); }
    acknowledge(console);
#endif
    control(0, 6, 0); answers();
  }
  R32(console + 0x30) = 0; print("page %d", R32(console + 0x40) != 0); R32(console + 0x70) = 0; print(" after reset %x\n", R32(console + 0x40));
  return 0;
}
