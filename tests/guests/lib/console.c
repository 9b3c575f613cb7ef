/* A PL011 console and printf: %d %i %u %x %X %o %c %s %p %%, flags 0 - + # space, width, precision, h hh l ll z. */
#include "guest.h"
#include <stdarg.h>

u64 uart_base = UART;

void put_char(char c) {
  volatile u32 *uart = (volatile u32 *)uart_base;
  while (uart[0x18 / 4] & 0x20) {}
  uart[0] = (u8)c;
}

void put_string(const char *s) {
  while (*s) put_char(*s++);
}

struct sink { char *buffer; size_t size, length; };

static void emit(struct sink *to, char c) {
  if (!to->buffer) put_char(c);
  else if (to->length + 1 < to->size) to->buffer[to->length] = c;
  to->length++;
}

static void pad(struct sink *to, int count, char c) {
  while (count-- > 0) emit(to, c);
}

struct spec { int left, plus, space, alternate, zero, width, precision; };

static void field(struct sink *to, const struct spec *s, const char *prefix, const char *body, int length, int digits) {
  int prefix_length = (int)strlen(prefix);
  int zeros = digits > length ? digits - length : 0;
  int spaces = s->width - prefix_length - zeros - length;
  if (!s->left && !(s->zero && digits < 0)) pad(to, spaces, ' ');
  while (*prefix) emit(to, *prefix++);
  if (!s->left && s->zero && digits < 0) pad(to, spaces, '0');
  pad(to, zeros, '0');
  while (length-- > 0) emit(to, *body++);
  if (s->left) pad(to, spaces, ' ');
}

static void number(struct sink *to, const struct spec *s, u64 value, int negative, u32 base, int upper) {
  char body[24];
  int at = sizeof body;
  const char *digits = upper ? "0123456789ABCDEF" : "0123456789abcdef";
  u64 rest = value;
  while (rest) { body[--at] = digits[rest % base]; rest /= base; }
  if (!value && s->precision != 0) body[--at] = '0';
  const char *prefix = negative ? "-" : s->plus ? "+" : s->space ? " " : "";
  if (s->alternate && value) prefix = base == 16 ? upper ? "0X" : "0x" : base == 8 ? "0" : prefix;
  field(to, s, prefix, body + at, (int)sizeof body - at, s->precision);
}

static void format_all(struct sink *to, const char *f, va_list list) {
  for (; *f; f++) {
    if (*f != '%') { emit(to, *f); continue; }
    struct spec s = { .precision = -1 };
    for (f++;; f++) {
      if (*f == '-') s.left = 1;
      else if (*f == '+') s.plus = 1;
      else if (*f == ' ') s.space = 1;
      else if (*f == '#') s.alternate = 1;
      else if (*f == '0') s.zero = 1;
      else break;
    }
    if (*f == '*') { s.width = va_arg(list, int); f++; if (s.width < 0) { s.left = 1; s.width = -s.width; } }
    else while (*f >= '0' && *f <= '9') s.width = s.width * 10 + (*f++ - '0');
    if (*f == '.') {
      s.precision = 0;
      if (*++f == '*') { s.precision = va_arg(list, int); f++; }
      else while (*f >= '0' && *f <= '9') s.precision = s.precision * 10 + (*f++ - '0');
    }
    int size = 0;
    for (;; f++) {
      if (*f == 'l' || *f == 'z') size++;
      else if (*f == 'h') size--;
      else break;
    }
    switch (*f) {
      case 'd': case 'i': {
        s64 v = size > 0 ? va_arg(list, s64) : va_arg(list, int);
        if (size == -1) v = (s16)v; else if (size < -1) v = (s8)v;
        number(to, &s, v < 0 ? -(u64)v : (u64)v, v < 0, 10, 0);
        break;
      }
      case 'u': case 'x': case 'X': case 'o': {
        u64 v = size > 0 ? va_arg(list, u64) : va_arg(list, u32);
        if (size == -1) v = (u16)v; else if (size < -1) v = (u8)v;
        s.plus = s.space = 0;
        number(to, &s, v, 0, *f == 'u' ? 10 : *f == 'o' ? 8 : 16, *f == 'X');
        break;
      }
      case 'p': s.alternate = 1; number(to, &s, (u64)va_arg(list, void *), 0, 16, 0); break;
      case 'c': { char c = (char)va_arg(list, int); s.zero = 0; field(to, &s, "", &c, 1, -1); break; }
      case 's': {
        const char *text = va_arg(list, const char *);
        if (!text) text = "(null)";
        int length = 0;
        while ((s.precision < 0 || length < s.precision) && text[length]) length++;
        s.zero = 0;
        field(to, &s, "", text, length, -1);
        break;
      }
      case 0: return;
      default: emit(to, *f);
    }
  }
}

int print(const char *format, ...) {
  struct sink to = { 0 };
  va_list list;
  va_start(list, format);
  format_all(&to, format, list);
  va_end(list);
  return (int)to.length;
}

int format_into(char *buffer, size_t size, const char *format, ...) {
  struct sink to = { buffer, size, 0 };
  va_list list;
  va_start(list, format);
  format_all(&to, format, list);
  va_end(list);
  if (size) buffer[to.length < size ? to.length : size - 1] = 0;
  return (int)to.length;
}
