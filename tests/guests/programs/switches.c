/* Big switch tables, computed gotos, virtual calls through tables, varargs, a state machine parsing JSON. */
#include "guest.h"

static NOINLINE u64 dense(u32 op, u64 a, u64 b) {
  switch (op) {
    case 0: return a + b; case 1: return a - b; case 2: return a * b; case 3: return b ? a / b : 0; case 4: return b ? a % b : 0;
    case 5: return a & b; case 6: return a | b; case 7: return a ^ b; case 8: return a << (b & 63); case 9: return a >> (b & 63);
    case 10: return (u64)((s64)a >> (b & 63)); case 11: return (u64)((s64)a / (s64)(b | 1)); case 12: return a == b; case 13: return a < b;
    case 14: return (s64)a < (s64)b; case 15: return (u32)a + (u32)b; case 16: return (u64)(s64)(s32)((s32)a * (s32)b);
    case 17: return (u64)(((u128)a * b) >> 64); case 18: return (u64)(((s128)(s64)a * (s64)b) >> 64); case 19: return ~a; case 20: return -a;
    case 21: return (u64)__builtin_clzl(a | 1); case 22: return (u64)__builtin_parityl(a) ^ (u64)__builtin_ctzl(a | 1UL << 60); case 23: return __builtin_bswap32((u32)a);
    case 24: return a > b ? a : b; case 25: return (u16)a; case 26: return (u64)(s64)(s8)a; case 27: return (a >> 13 & 0x7ff) | (b & 0xff) << 20;
    case 28: return a - b > a; case 29: return (a + b) < a; case 30: return (u32)a >> ((u32)b & 31); case 31: return (u64)((s32)a % (s32)(b | 1));
    default: return 0xbad;
  }
}

static NOINLINE const char *sparse(u32 code) {
  switch (code) {
    case 200: return "OK"; case 201: return "Created"; case 204: return "No Content"; case 301: return "Moved"; case 302: return "Found"; case 304: return "Not Modified";
    case 400: return "Bad Request"; case 401: return "Unauthorized"; case 403: return "Forbidden"; case 404: return "Not Found"; case 418: return "Teapot";
    case 500: return "Server Error"; case 503: return "Unavailable"; case 0x10000: return "large"; case 0xffffffff: return "all ones";
    default: return "?";
  }
}

static u64 threaded(const u8 *code) {
  static const void *const LABELS[] = { &&push, &&add, &&multiply, &&duplicate, &&swap, &&jump_back, &&stop };
  u64 stack[16], *sp = stack, counter = 10;
  *sp = 1;
#define NEXT goto *LABELS[*code++]
  const u8 *start = code;
  NEXT;
push: *++sp = *code++; NEXT;
add: sp[-1] += *sp; sp--; NEXT;
multiply: sp[-1] *= *sp; sp--; NEXT;
duplicate: sp[1] = *sp; sp++; NEXT;
swap: { u64 t = sp[-1]; sp[-1] = *sp; *sp = t; } NEXT;
jump_back: if (--counter) code = start; NEXT;
stop: return *sp;
}

struct shape;
struct shape_methods { const char *name; u64 (*area)(const struct shape *); void (*grow)(struct shape *, u32); };
struct shape { const struct shape_methods *methods; u32 a, b; };
static u64 rectangle_area(const struct shape *s) { return (u64)s->a * s->b; }
static u64 square_area(const struct shape *s) { return (u64)s->a * s->a; }
static u64 triangle_area(const struct shape *s) { return (u64)s->a * s->b / 2; }
static void grow_both(struct shape *s, u32 by) { s->a += by; s->b += by; }
static void grow_one(struct shape *s, u32 by) { s->a += by; }
static const struct shape_methods RECTANGLE = { "rectangle", rectangle_area, grow_both }, SQUARE = { "square", square_area, grow_one }, TRIANGLE = { "triangle", triangle_area, grow_both };

enum state { VALUE, AFTER, KEY, COLON, DONE, FAIL };
static const char *parse(const char *text) {
  static char path[64];
  u32 depth = 0, items = 0, strings = 0, numbers = 0;
  char stack[16];
  enum state state = VALUE;
  for (const char *at = text; *at && state != FAIL; at++) {
    char c = *at;
    if (c == ' ' || c == '\n') continue;
    switch (state) {
      case VALUE: case KEY:
        if (c == '"') { while (*++at && *at != '"') if (*at == '\\') at++; strings++; state = state == KEY ? COLON : depth ? AFTER : DONE; }
        else if (state == KEY) { if (c == '}' && depth) { depth--; state = depth ? AFTER : DONE; } else state = FAIL; }
        else if (c == '{' || c == '[') { if (depth == sizeof stack) state = FAIL; else { stack[depth++] = c; state = c == '{' ? KEY : VALUE; } }
        else if (c == ']' && depth && stack[depth - 1] == '[') { depth--; state = depth ? AFTER : DONE; }
        else if (c == '-' || (c >= '0' && c <= '9')) { while (at[1] == '.' || at[1] == 'e' || (at[1] >= '0' && at[1] <= '9')) at++; numbers++; state = depth ? AFTER : DONE; }
        else if (c == 't' || c == 'n') { at += 3; items++; state = depth ? AFTER : DONE; }
        else if (c == 'f') { at += 4; items++; state = depth ? AFTER : DONE; }
        else state = FAIL;
        break;
      case COLON: state = c == ':' ? VALUE : FAIL; break;
      case AFTER:
        if (c == ',') state = stack[depth - 1] == '{' ? KEY : VALUE;
        else if (c == '}' || c == ']') { depth--; state = depth ? AFTER : DONE; }
        else state = FAIL;
        break;
      default: state = FAIL;
    }
  }
  format_into(path, sizeof path, "%s: %u strings, %u numbers, %u others", state == DONE ? "good" : "bad", strings, numbers, items);
  return path;
}

int main(u64 device_tree) {
  u64 hash = 0;
  for (u32 i = 0; i < 3000; i++) { u64 a = random64(), b = random64() >> (i & 63); u32 op = i % 34; hash = (hash << 5 | hash >> 59) ^ dense(op, a, b); }
  print("dense %016lx\n", hash);
  static const u32 CODES[] = { 200, 202, 204, 304, 404, 418, 419, 503, 0x10000, 0xffffffff, 0 };
  for (u32 i = 0; i < COUNT(CODES); i++) print("%u %s\n", CODES[i], sparse(CODES[i]));
  print("threaded %lu\n", threaded((const u8[]){ 0, 3, 2, 3, 0, 7, 1, 4, 1, 5, 6 }));
  struct shape shapes[] = { { &RECTANGLE, 3, 4 }, { &SQUARE, 5, 0 }, { &TRIANGLE, 6, 7 } };
  for (u32 round = 0; round < 3; round++)
    for (u32 i = 0; i < COUNT(shapes); i++) { shapes[i].methods->grow(&shapes[i], round * i); print("%s %lu; ", shapes[i].methods->name, shapes[i].methods->area(&shapes[i])); }
  print("\n%s\n", parse("{\"a\": [1, 2.5e3, -7, {\"b\\\"\": null}], \"c\": true, \"d\": \"x\"}"));
  print("%s\n%s\n%s\n", parse("[1, 2"), parse("{\"a\" 1}"), parse("[[[[[[[[]]]]]]]]"));
  return 0;
}
