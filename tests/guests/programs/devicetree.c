/* A kernel that parses the flattened device tree it is given: header, memory, cpus, chosen, and what it needs of the board. */
#include "guest.h"

static u32 be32(const void *p) { const u8 *b = p; return (u32)b[0] << 24 | (u32)b[1] << 16 | (u32)b[2] << 8 | b[3]; }
static u64 be64(const void *p) { return (u64)be32(p) << 32 | be32((const u8 *)p + 4); }

static int is_text(const u8 *p, u32 n) {
  if (n == 0 || p[n - 1]) return 0;
  for (u32 i = 0; i < n; i++) if (p[i] ? p[i] < 32 || p[i] > 126 : i && !p[i - 1]) return 0;
  return p[0] != 0;
}

static int starts(const char *s, const char *with) { while (*with) if (*s++ != *with++) return 0; return 1; }

/* Nodes and properties whose values depend on nothing but the machine asked for. */
static int is_interesting(const char *node) {
  static const char *const NODES[] = { "memory@", "cpus", "cpu@", "chosen", "psci", "timer", "pl011@", "intc@", "apb-pclk", "pl031@" };
  for (u32 i = 0; i < COUNT(NODES); i++) if (starts(node, NODES[i])) return 1;
  return *node == 0;
}

int main(u64 device_tree) {
  const u8 *blob = (const u8 *)device_tree;
  if (!blob || be32(blob) != 0xd00dfeed) { print("no device tree: %x\n", blob ? be32(blob) : 0); return 1; }
  print("at %lx, %u bytes, version %u (%u), boot cpu %u\n", device_tree, be32(blob + 4), be32(blob + 20), be32(blob + 24), be32(blob + 28));
  const char *strings = (const char *)blob + be32(blob + 12);
  const u8 *reserved = blob + be32(blob + 16);
  for (; be64(reserved) || be64(reserved + 8); reserved += 16) print("reserved %lx %lx\n", be64(reserved), be64(reserved + 8));
  const char *names[16];
  int depth = 0;
  u64 memory = 0, cpus = 0, nodes = 0, properties = 0, initrd[2] = { 0, 0 };
  for (const u8 *at = blob + be32(blob + 8);;) {
    u32 token = be32(at);
    at += 4;
    if (token == 1) {
      names[depth++] = (const char *)at;
      at += (strlen((const char *)at) + 4) & ~3UL;
      nodes++;
      if (is_interesting(names[depth - 1])) { for (int i = 1; i < depth; i++) print("/%s", names[i]); print("\n"); }
    } else if (token == 2) depth--;
    else if (token == 3) {
      u32 length = be32(at);
      const char *name = strings + be32(at + 4), *node = names[depth - 1];
      const u8 *value = at + 8;
      at += 8 + ((length + 3) & ~3U);
      properties++;
      if (!is_interesting(node)) continue;
      if (starts(node, "memory@") && !strcmp(name, "reg")) memory += be64(value + 8);
      if (starts(node, "cpu@") && !strcmp(name, "reg")) cpus++;
      if (!strcmp(name, "linux,initrd-start")) initrd[0] = length == 4 ? be32(value) : be64(value);
      if (!strcmp(name, "linux,initrd-end")) initrd[1] = length == 4 ? be32(value) : be64(value);
      if (starts(name, "phandle") || starts(name, "interrupt-parent") || starts(name, "clocks") || starts(name, "dma-coherent")) continue;
      print("  %s", name);
      if (length == 0) print("\n");
      else if (is_text(value, length)) { print(" ="); for (u32 i = 0; i < length; i += (u32)strlen((const char *)value + i) + 1) print(" \"%s\"", (const char *)value + i); print("\n"); }
      else { print(" ="); for (u32 i = 0; i + 3 < length; i += 4) print(" %x", be32(value + i)); print("\n"); }
    } else if (token == 9) break;
    else if (token != 4) { print("bad token %u\n", token); break; }
  }
  print("%lu MiB of memory, %lu cpus\n", memory >> 20, cpus);
  print("nodes and properties %s\n", nodes > 8 && properties > 40 ? "enough" : "too few");
  if (initrd[1]) { print("initrd %lx to %lx: ", initrd[0], initrd[1]); for (u64 a = initrd[0]; a < initrd[1]; a++) put_char(*(char *)a); }
  print("image at %lx to %lx\n", (u64)image_start, (u64)image_end);
  /* The end of memory is where the tree says. */
  u64 end = 0x40000000 + memory;
  print("last word %lx, behind it %lx\n", probe_read(end - 8, 8), probe_read(end, 8));
  return 0;
}
