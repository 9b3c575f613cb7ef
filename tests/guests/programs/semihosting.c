/* (The reference's append does not append, directories can be opened there, and ISTTY of :tt goes by its standard streams.) Semihosting calls with good and bad arguments: what each answers, the error number behind it, and what files hold. */
#include "guest.h"

enum { OPEN = 1, CLOSE, WRITEC, WRITE0, WRITE_, READ_, READC, ISERROR, ISTTY, SEEK, FLEN = 0xc, TMPNAM, REMOVE, RENAME, CLOCK, TIME, SYSTEM, ERRNO, CMDLINE = 0x15, HEAPINFO, EXIT = 0x18, EXTENDED = 0x20, ELAPSED = 0x30, FREQUENCY };
static u8 room[256];

static s64 call(u64 operation, const void *block) {
  register u64 x0 __asm__("x0") = operation; register const void *x1 __asm__("x1") = block;
  __asm__ volatile("hlt #0xf000" : "+r"(x0) : "r"(x1) : "memory");
  return (s64)x0;
}
static s64 with(u64 operation, u64 a, u64 b, u64 c, u64 d) { u64 block[4] = { a, b, c, d }; return call(operation, block); }
static void show(const char *what, s64 result) { print("%s: %lx, error %lx\n", what, result, call(ERRNO, NULL)); }
static s64 open(const char *name, u64 mode) { return with(OPEN, (u64)name, mode, strlen(name), 0); }
static s64 read(s64 handle, u64 length) { memset(room, '.', sizeof room); s64 left = with(READ_, (u64)handle, (u64)room, length, 0); print("[%.12s] ", room); return left; }
static s64 write(s64 handle, const char *text) { return with(WRITE_, (u64)handle, (u64)text, strlen(text), 0); }
static void contents(const char *name) { s64 h = open(name, 1); room[0] = 0; if (h >= 0) { read(h, 60); print("%s holds %ld\n", name, with(FLEN, (u64)h, 0, 0, 0)); with(CLOSE, (u64)h, 0, 0, 0); } else print("no %s\n", name); }

static void modes(const char *name) {
  for (u64 mode = 0; mode < 14; mode += mode == 7 ? 5 : 1) {
    s64 h = open(name, mode);
    print("%s mode %lu: ", name, mode); show("open", h);
    if (h < 0) continue;
    show("write", write(h, "abcdef")); show("length", with(FLEN, (u64)h, 0, 0, 0)); show("read", read(h, 4));
    show("seek", with(SEEK, (u64)h, 2, 0, 0)); show("read", read(h, 3)); show("write", write(h, "XY")); show("seek", with(SEEK, (u64)h, 0, 0, 0)); show("read", read(h, 12));
    show("terminal", with(ISTTY, (u64)h, 0, 0, 0)); show("beyond", with(SEEK, (u64)h, 20, 0, 0)); show("read", read(h, 2)); show("write", write(h, "end"));
    show("close", with(CLOSE, (u64)h, 0, 0, 0)); contents(name);
  }
}

int main(u64 device_tree) {
  show("first", 0);
  modes("new"); show("remove", with(REMOVE, (u64)"new", 3, 0, 0)); modes("other"); contents("other");
  static const char *const ODD[] = { "", ".", "folder", "folder/x", "none/x", "new/x", "./other" };
  for (u32 i = 0; i < COUNT(ODD); i++) for (u64 mode = i && i < 3 ? 4 : 0; mode < 8; mode += 4) { s64 h = open(ODD[i], mode); print("'%s' %lu ", ODD[i], mode); show("open", h); if (h >= 0) { show("length", with(FLEN, (u64)h, 0, 0, 0)); show("close", with(CLOSE, (u64)h, 0, 0, 0)); } }
  show("short name", with(OPEN, (u64)"other", 0, 3, 0)); show("long name", with(OPEN, (u64)"other", 0, 9, 0)); show("bad name", with(OPEN, 0x0c000000, 0, 3, 0)); show("bad mode", with(OPEN, (u64)"other", ~0UL, 5, 0));
  static const u64 HANDLES[] = { 0, 1, 2, 3, 77, 0xffffffff, ~0UL, 1UL << 32 };
  for (u32 i = 0; i < COUNT(HANDLES); i++) {
    u64 h = HANDLES[i]; print("handle %lx: ", h);
    show("close", with(CLOSE, h, 0, 0, 0)); show("length", with(FLEN, h, 0, 0, 0)); show("terminal", with(ISTTY, h, 0, 0, 0)); show("seek", with(SEEK, h, 0, 0, 0)); show("read", read((s64)h, 4)); show("write", write((s64)h, "x"));
  }
  s64 a = open("one", 6), b = open("two", 6), c = open("three", 6); print("%ld %ld %ld\n", a, b, c);
  show("close", with(CLOSE, (u64)b, 0, 0, 0)); b = open("two", 6); print("again %ld\n", b);
  show("write", write(a, "0123456789")); show("nothing", with(WRITE_, (u64)a, (u64)room, 0, 0)); show("nothing", with(READ_, (u64)a, (u64)room, 0, 0));
  show("no memory", with(WRITE_, (u64)a, 0x0c000000, 4, 0)); show("no memory", with(READ_, (u64)a, 0x0c000000, 4, 0));
  show("negative", with(SEEK, (u64)a, ~0UL, 0, 0)); show("far", with(SEEK, (u64)a, 1UL << 40, 0, 0)); show("at", read(a, 2)); show("start", with(SEEK, (u64)a, 8, 0, 0)); show("rest", read(a, 9));
  show("rename", with(RENAME, (u64)"one", 3, (u64)"first", 5)); contents("one"); contents("first"); show("rename", with(RENAME, (u64)"none", 4, (u64)"more", 4)); show("onto", with(RENAME, (u64)"first", 5, (u64)"folder", 6)); show("short", with(RENAME, (u64)"first", 4, (u64)"x", 1));
  show("remove", with(REMOVE, (u64)"two", 3, 0, 0)); show("remove", with(REMOVE, (u64)"two", 3, 0, 0)); show("folder", with(REMOVE, (u64)"folder", 6, 0, 0)); show("short", with(REMOVE, (u64)"three", 3, 0, 0)); show("write", write(b, "gone"));
  for (u64 id = 0; id < 0x300; id += 0xff) { memset(room, 0, 64); show("name", with(TMPNAM, (u64)room, id, 64, 0)); print("%d\n", strlen((char *)room) > 0); }
  show("short", with(TMPNAM, (u64)room, 1, 3, 0)); show("none", with(TMPNAM, (u64)room, 1, 0, 0));
  static const u64 VALUES[] = { 0, 1, 0x7fffffffffffffff, 0x8000000000000000, ~0UL, 0xffffffff, 0x80000000 };
  for (u32 i = 0; i < COUNT(VALUES); i++) print("%lx is error %ld\n", VALUES[i], with(ISERROR, VALUES[i], 0, 0, 0));
  s64 f = open(":semihosting-features", 0); print("features %ld ", f); show("length", with(FLEN, (u64)f, 0, 0, 0)); show("read", read(f, 3)); show("read", read(f, 9)); show("read", read(f, 1)); show("seek", with(SEEK, (u64)f, 5, 0, 0)); show("seek", with(SEEK, (u64)f, 6, 0, 0)); show("seek", with(SEEK, (u64)f, ~0UL, 0, 0)); show("terminal", with(ISTTY, (u64)f, 0, 0, 0)); show("write", write(f, "x")); show("close", with(CLOSE, (u64)f, 0, 0, 0));
  for (u64 mode = 0; mode < 14; mode++) { f = open(":semihosting-features", mode); print("%lu ", mode); show("features", f); if (f >= 0) with(CLOSE, (u64)f, 0, 0, 0); }
  for (u64 mode = 0; mode < 13; mode += 4) { f = open(":tt", mode); print("%lu ", mode); show("terminal", f); if (f >= 0) { (void)with(ISTTY, (u64)f, 0, 0, 0); call(ERRNO, NULL); with(CLOSE, 99, 0, 0, 0); show("length", with(FLEN, (u64)f, 0, 0, 0) < 1); show("close", with(CLOSE, (u64)f, 0, 0, 0)); } }
  print("frequency %ld\n", call(FREQUENCY, NULL)); show("elapsed", call(ELAPSED, room)); show("clock", call(CLOCK, NULL) < 0); show("time", call(TIME, NULL) < 0x10000);
  show("command line", with(CMDLINE, (u64)room, 4, 0, 0)); show("command line", with(CMDLINE, (u64)room, 200, 0, 0));
  u64 heap[4] = { 0 }; show("heap", with(HEAPINFO, (u64)heap, 0, 0, 0)); print("%lx %lx %lx %lx\n", heap[0], heap[1], heap[2], heap[3]);
  return 0;
}
