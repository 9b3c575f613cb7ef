/*
 * Runs single instructions under qemu-aarch64 with given registers. Compiled static.
 *
 * Everything happens in the handler of signals: every case ends with one (BRK behind the word, or
 * what the word itself raises), the handler writes the outcome, reads the next case, and returns
 * into it. Standard input: the data window's pattern, then cases; standard output: outcomes. The
 * layouts are those of `struct cpu` below, little-endian; reference_cpu.ts has the other side.
 */
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#define CODE 0x20200000UL
#define CODE_START 0x20000000UL
#define CODE_BYTES 0x400000UL
#define DATA 0x10000000UL
#define DATA_BYTES 0x400UL
#define DATA_REACH 0x200000UL
#define FILLER 0xd4200020U
#define BATCH 128

struct cpu {
  uint64_t x[31], sp, pc;
  uint32_t word_or_signal, nzcv, fpcr, fpsr;
  uint64_t v[32][2];
  uint8_t data[DATA_BYTES];
};

static uint8_t pattern[DATA_BYTES];
static struct cpu in[BATCH], out[BATCH];
static int count, at;

static size_t read_all(void *to, size_t bytes) {
  size_t done = 0;
  while (done < bytes) {
    ssize_t n = read(0, (char *)to + done, bytes - done);
    if (n <= 0) break;
    done += n;
  }
  return done;
}

static void flush(void) {
  size_t bytes = at * sizeof *out, done = 0;
  while (done < bytes) {
    ssize_t n = write(1, (char *)out + done, bytes - done);
    if (n <= 0) _exit(1);
    done += n;
  }
}

/* A batch is preceded by its number of cases. */
static void fetch(void) {
  uint32_t n;
  if (read_all(&n, 4) != 4 || n == 0 || n > BATCH) _exit(0);
  if (read_all(in, n * sizeof *in) != n * sizeof *in) _exit(1);
  count = n;
  at = 0;
}

static struct fpsimd_context *vectors(ucontext_t *context) {
  struct _aarch64_ctx *head = (struct _aarch64_ctx *)context->uc_mcontext.__reserved;
  while (head->magic != FPSIMD_MAGIC) {
    if (!head->magic) _exit(2);
    head = (struct _aarch64_ctx *)((char *)head + head->size);
  }
  return (struct fpsimd_context *)head;
}

static void enter(ucontext_t *context) {
  const struct cpu *cpu = &in[at];
  struct fpsimd_context *fp = vectors(context);
  memcpy(context->uc_mcontext.regs, cpu->x, sizeof cpu->x);
  context->uc_mcontext.sp = cpu->sp;
  context->uc_mcontext.pc = CODE;
  context->uc_mcontext.pstate = cpu->nzcv << 28;
  fp->fpcr = cpu->fpcr;
  fp->fpsr = cpu->fpsr;
  memcpy(fp->vregs, cpu->v, sizeof cpu->v);
  if (memcmp((void *)DATA, pattern, DATA_BYTES)) memcpy((void *)DATA, pattern, DATA_BYTES);
  *(volatile uint32_t *)CODE = cpu->word_or_signal;
  __builtin___clear_cache((char *)CODE, (char *)CODE + 4);
}

static void leave(int number, ucontext_t *context) {
  struct cpu *cpu = &out[at++];
  struct fpsimd_context *fp = vectors(context);
  memcpy(cpu->x, context->uc_mcontext.regs, sizeof cpu->x);
  cpu->sp = context->uc_mcontext.sp;
  cpu->pc = context->uc_mcontext.pc;
  cpu->word_or_signal = number;
  cpu->nzcv = context->uc_mcontext.pstate >> 28;
  cpu->fpcr = fp->fpcr;
  cpu->fpsr = fp->fpsr;
  memcpy(cpu->v, fp->vregs, sizeof cpu->v);
  memcpy(cpu->data, (void *)DATA, DATA_BYTES);
  if (at < count) return;
  flush();
  fetch();
}

static int started;

static void handle(int number, siginfo_t *info, void *opaque) {
  ucontext_t *context = opaque;
  (void)info;
  if (started) leave(number, context);
  started = 1;
  enter(context);
}

int main(void) {
  const int protection = PROT_READ | PROT_WRITE;
  const int how = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED;
  void *code = mmap((void *)CODE_START, CODE_BYTES, protection | PROT_EXEC, how, -1, 0);
  void *data = mmap((void *)(DATA - DATA_REACH), 2 * DATA_REACH, protection, how, -1, 0);
  if (code == MAP_FAILED || data == MAP_FAILED) return 3;
  for (uint32_t *at = code; at < (uint32_t *)(CODE_START + CODE_BYTES); at++) *at = FILLER;
  stack_t stack = {.ss_sp = malloc(1 << 17), .ss_size = 1 << 17};
  sigaltstack(&stack, 0);
  struct sigaction action = {.sa_sigaction = handle, .sa_flags = SA_SIGINFO | SA_ONSTACK};
  const int numbers[] = {SIGILL, SIGTRAP, SIGSEGV, SIGBUS, SIGFPE};
  for (unsigned i = 0; i < sizeof numbers / sizeof *numbers; i++) sigaction(numbers[i], &action, 0);
  if (read_all(pattern, sizeof pattern) != sizeof pattern) return 1;
  fetch();
  __asm__ volatile("brk #1");
  return 4;
}
