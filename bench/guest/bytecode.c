/* A small stack machine interpreting a sieve: dispatch through a switch, unpredictable branches. */
#include "guest.h"

enum { PUSH, LOAD, STORE, ADD, LESS, JUMP, JUMP_ZERO, GET, SET, HALT };

static u8 cells[1 << 16];

static u64 stack[32], locals[8];

static u64 interpret(const int *code) {
  int sp = 0;
  for (const int *pc = code;;) {
    switch (*pc++) {
      case PUSH: stack[sp++] = *pc++; break;
      case LOAD: stack[sp++] = locals[*pc++]; break;
      case STORE: locals[*pc++] = stack[--sp]; break;
      case ADD: sp--; stack[sp - 1] += stack[sp]; break;
      case LESS: sp--; stack[sp - 1] = stack[sp - 1] < stack[sp]; break;
      case JUMP: pc = code + *pc; break;
      case JUMP_ZERO: pc = stack[--sp] ? pc + 1 : code + *pc; break;
      case GET: stack[sp - 1] = cells[stack[sp - 1] & 0xffff]; break;
      case SET: sp -= 2; cells[stack[sp] & 0xffff] = stack[sp + 1]; break;
      case HALT: return locals[2];
    }
  }
}

/* locals: 0 i, 1 j, 2 primes found. Addresses are indices into the array. */
static const int sieve[] = {
  /*  0 */ PUSH, 2, STORE, 0,
  /*  4 */ LOAD, 0, PUSH, 65536, LESS, JUMP_ZERO, 62,
  /* 11 */ LOAD, 0, GET, JUMP_ZERO, 18,
  /* 16 */ JUMP, 53,
  /* 18 */ LOAD, 2, PUSH, 1, ADD, STORE, 2,
  /* 25 */ LOAD, 0, LOAD, 0, ADD, STORE, 1,
  /* 32 */ LOAD, 1, PUSH, 65536, LESS, JUMP_ZERO, 53,
  /* 39 */ LOAD, 1, PUSH, 1, SET,
  /* 44 */ LOAD, 1, LOAD, 0, ADD, STORE, 1,
  /* 51 */ JUMP, 32,
  /* 53 */ LOAD, 0, PUSH, 1, ADD, STORE, 0,
  /* 60 */ JUMP, 4,
  /* 62 */ HALT,
};

int main(void) {
  u64 sum = 0;
  for (int pass = 0; pass < 16; pass++) {
    for (u32 i = 0; i < sizeof cells; i++) *(volatile u8 *)&cells[i] = 0;
    locals[2] = 0;
    sum += interpret(sieve);
  }
  report("bytecode", sum);
  return 0;
}
