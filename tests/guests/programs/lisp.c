/* A small Lisp with a copying garbage collector: reader, eval, closures, macros of nothing. */
#include "guest.h"

typedef u64 value; /* 0 nil; bit 0: fixnum; else pointer to a cell */
struct cell { u64 tag; value car, cdr; }; /* tag 0 pair, 1 symbol (car: name), 2 closure, 3 builtin, 4 forwarded (car) */
#define CELLS 12000
static struct cell spaces[2][CELLS];
static struct cell *heap = spaces[0];
static u32 used, collections;
static value *roots[20000];
static u32 root_count;
static char names[4096];
static u32 names_used;
static value symbols, globals, t_symbol;

static struct cell *C(value v) { return (struct cell *)v; }
static int is_cell(value v) { return v && !(v & 1); }
static int is_pair(value v) { return is_cell(v) && C(v)->tag == 0; }
static int is_symbol(value v) { return is_cell(v) && C(v)->tag == 1; }
static value fix(s64 n) { return (u64)n << 1 | 1; }
static s64 unfix(value v) { return (s64)v >> 1; }

static value move(value v, struct cell *to) {
  if (!is_cell(v)) return v;
  struct cell *c = C(v);
  if (c->tag == 4) return c->car;
  struct cell *n = &to[used++];
  *n = *c;
  c->tag = 4;
  c->car = (value)n;
  return (value)n;
}

static void collect(void) {
  struct cell *to = heap == spaces[0] ? spaces[1] : spaces[0];
  used = 0;
  symbols = move(symbols, to);
  globals = move(globals, to);
  t_symbol = move(t_symbol, to);
  for (u32 i = 0; i < root_count; i++) *roots[i] = move(*roots[i], to);
  for (u32 i = 0; i < used; i++) {
    if (to[i].tag == 0 || to[i].tag == 2) to[i].car = move(to[i].car, to);
    if (to[i].tag == 0 || to[i].tag == 2 || to[i].tag == 1) to[i].cdr = move(to[i].cdr, to);
  }
  heap = to;
  collections++;
  if (used > CELLS - 100) { print("heap exhausted\n"); power_off(); }
}

#define PROTECT(v) (roots[root_count++] = &(v))
#define RELEASE(n) (root_count -= (n))

static value cell(u64 tag, value car, value cdr) {
  if (used == CELLS) { PROTECT(car); PROTECT(cdr); collect(); RELEASE(2); }
  struct cell *c = &heap[used++];
  *c = (struct cell){ tag, car, cdr };
  return (value)c;
}
static value cons(value a, value d) { return cell(0, a, d); }
static value car(value v) { return is_pair(v) ? C(v)->car : 0; }
static value cdr(value v) { return is_pair(v) ? C(v)->cdr : 0; }

static value intern(const char *s, u32 n) {
  for (value l = symbols; l; l = cdr(l)) { const char *name = names + unfix(C(car(l))->car); if (strlen(name) == n && !memcmp(name, s, n)) return car(l); }
  u32 at = names_used;
  memcpy(names + at, s, n);
  names[at + n] = 0;
  names_used += n + 1;
  value v = cell(1, fix(at), 0);
  PROTECT(v);
  symbols = cons(v, symbols);
  RELEASE(1);
  return v;
}
#define SYM(s) intern(s, sizeof(s) - 1)

static const char *text;
static void blank(void) { while (*text == ' ' || *text == '\n') text++; }
static value read(void) {
  blank();
  if (*text == '\'') { text++; value v = read(); PROTECT(v); v = cons(v, 0); value q = SYM("quote"); RELEASE(1); return cons(q, v); }
  if (*text == '(') {
    text++;
    value first = 0, last = 0;
    PROTECT(first); PROTECT(last);
    for (blank(); *text != ')'; blank()) { value v = read(); v = cons(v, 0); if (!first) first = v; else C(last)->cdr = v; last = v; }
    text++;
    RELEASE(2);
    return first;
  }
  const char *start = text;
  while (*text && *text != ' ' && *text != '(' && *text != ')' && *text != '\n') text++;
  u32 n = (u32)(text - start);
  if ((*start >= '0' && *start <= '9') || (*start == '-' && n > 1)) { s64 v = 0; int negative = *start == '-'; for (u32 i = (u32)negative; i < n; i++) v = v * 10 + (start[i] - '0'); return fix(negative ? -v : v); }
  return intern(start, n);
}

static void write(value v) {
  if (!v) print("nil");
  else if (v & 1) print("%ld", unfix(v));
  else if (is_symbol(v)) print("%s", names + unfix(C(v)->car));
  else if (!is_pair(v)) print("<function>");
  else { put_char('('); for (;; put_char(' ')) { write(car(v)); v = cdr(v); if (!is_pair(v)) break; } if (v) { print(" . "); write(v); } put_char(')'); }
}

static value lookup(value name, value env) {
  for (; env; env = cdr(env)) if (car(car(env)) == name) return car(env);
  for (value g = globals; g; g = cdr(g)) if (car(car(g)) == name) return car(g);
  return 0;
}
static void define(value name, value v) { value pair = lookup(name, 0); if (pair) { C(pair)->cdr = v; return; } PROTECT(name); pair = cons(name, v); RELEASE(1); globals = cons(pair, globals); }

static value eval(value form, value env);
static value list_of(value forms, value env) {
  if (!forms) return 0;
  PROTECT(forms); PROTECT(env);
  value first = eval(car(forms), env);
  PROTECT(first);
  value rest = list_of(cdr(forms), env);
  RELEASE(3);
  return cons(first, rest);
}
static value apply(value f, value args);
static value builtin(s64 which, value a) {
  value x = car(a), y = car(cdr(a));
  switch (which) {
    case 0: { s64 n = 0; for (; a; a = cdr(a)) n += unfix(car(a)); return fix(n); }
    case 1: { s64 n = unfix(x); if (!cdr(a)) return fix(-n); for (a = cdr(a); a; a = cdr(a)) n -= unfix(car(a)); return fix(n); }
    case 2: { s64 n = 1; for (; a; a = cdr(a)) n *= unfix(car(a)); return fix(n); }
    case 3: return y == fix(0) ? 0 : fix(unfix(x) / unfix(y));
    case 4: return y == fix(0) ? 0 : fix(unfix(x) % unfix(y));
    case 5: return (s64)x < (s64)y ? t_symbol : 0;
    case 6: return x == y ? t_symbol : 0;
    case 7: return cons(x, y);
    case 8: return car(x);
    case 9: return cdr(x);
    case 10: return is_pair(x) ? 0 : t_symbol;
    case 11: return x ? 0 : t_symbol;
    case 12: write(x); put_char('\n'); return x;
    default: return apply(x, y);
  }
}
static value apply(value f, value args) {
  if (!is_cell(f)) { print("not a function: "); write(f); print("\n"); return 0; }
  if (C(f)->tag == 3) return builtin(unfix(C(f)->car), args);
  value lambda = C(f)->car, env = C(f)->cdr, parameters = car(lambda), body = cdr(lambda), result = 0;
  PROTECT(args); PROTECT(env); PROTECT(parameters); PROTECT(body);
  for (; is_pair(parameters); parameters = cdr(parameters), args = cdr(args)) { value pair = cons(car(parameters), car(args)); env = cons(pair, env); }
  for (; body; body = cdr(body)) result = eval(car(body), env);
  RELEASE(4);
  return result;
}
static value eval(value form, value env) {
  if (is_symbol(form)) { value pair = lookup(form, env); if (form == t_symbol) return form; if (!pair) { print("unbound "); write(form); print("\n"); } return cdr(pair); }
  if (!is_pair(form)) return form;
  value head = car(form), v;
  PROTECT(form); PROTECT(env);
  if (is_symbol(head)) {
    const char *name = names + unfix(C(head)->car);
    if (!strcmp(name, "quote")) { RELEASE(2); return car(cdr(form)); }
    if (!strcmp(name, "if")) { v = eval(car(cdr(form)), env) ? eval(car(cdr(cdr(form))), env) : eval(car(cdr(cdr(cdr(form)))), env); RELEASE(2); return v; }
    if (!strcmp(name, "lambda")) { v = cell(2, cdr(form), env); RELEASE(2); return v; }
    if (!strcmp(name, "define")) { v = eval(car(cdr(cdr(form))), env); define(car(cdr(form)), v); RELEASE(2); return v; }
  }
  value f = eval(head, env);
  PROTECT(f);
  value args = list_of(cdr(form), env);
  RELEASE(3);
  return apply(f, args);
}

static const char PROGRAM[] =
    "(define fact (lambda (n) (if (< n 2) 1 (* n (fact (- n 1))))))"
    "(print (fact 20))"
    "(define fib (lambda (n) (if (< n 2) n (+ (fib (- n 1)) (fib (- n 2))))))"
    "(print (fib 15))"
    "(define map (lambda (f l) (if (null l) nil (cons (f (car l)) (map f (cdr l))))))"
    "(define range (lambda (a b) (if (< a b) (cons a (range (+ a 1) b)) nil)))"
    "(print (map (lambda (x) (* x x)) (range 0 20)))"
    "(define filter (lambda (p l) (if (null l) nil (if (p (car l)) (cons (car l) (filter p (cdr l))) (filter p (cdr l))))))"
    "(define append (lambda (a b) (if (null a) b (cons (car a) (append (cdr a) b)))))"
    "(define sort (lambda (l) (if (null l) nil (append (sort (filter (lambda (x) (< x (car l))) (cdr l))) (cons (car l) (sort (filter (lambda (x) (if (< x (car l)) nil t)) (cdr l))))))))"
    "(print (sort '(5 3 9 -2 7 7 0 100 42 1)))"
    "(define adder (lambda (n) (lambda (x) (+ x n))))"
    "(print ((adder 5) 37))"
    "(define sieve (lambda (l) (if (null l) nil (cons (car l) (sieve (filter (lambda (x) (if (eq (mod x (car l)) 0) nil t)) (cdr l)))))))"
    "(print (sieve (range 2 120)))"
    "(define tak (lambda (x y z) (if (< y x) (tak (tak (- x 1) y z) (tak (- y 1) z x) (tak (- z 1) x y)) z)))"
    "(print (tak 8 4 2))"
    "(print (apply + (range 0 100)))"
    "(print '(a (b . c) nil (quote d)))"
    "(print undefined-thing)"
    "(print (div 7 0))";

int main(u64 device_tree) {
  static const char *const BUILTINS[] = { "+", "-", "*", "div", "mod", "<", "eq", "cons", "car", "cdr", "atom", "null", "print", "apply" };
  t_symbol = SYM("t");
  define(SYM("nil"), 0);
  for (u32 i = 0; i < COUNT(BUILTINS); i++) { value f = cell(3, fix(i), 0); PROTECT(f); value name = intern(BUILTINS[i], (u32)strlen(BUILTINS[i])); RELEASE(1); define(name, f); }
  for (text = PROGRAM; blank(), *text;) { value form = read(); eval(form, 0); }
  print("%u collections\n", collections);
  return 0;
}
