/* qsort with a comparator, heap sort, merge sort, radix sort, insertion into a red-black-like tree, binary search. */
#include "guest.h"

struct record { u32 key; char name[12]; s64 weight; };
static struct record records[600], copy[600];
static u64 numbers[2000], other[2000];

static void swap_bytes(u8 *a, u8 *b, size_t n) { while (n--) { u8 t = *a; *a++ = *b; *b++ = t; } }

static void quick(void *base, size_t n, size_t size, int (*compare)(const void *, const void *)) {
  u8 *b = base;
  while (n > 1) {
    size_t store = 0;
    swap_bytes(b + (n / 2) * size, b + (n - 1) * size, size);
    for (size_t i = 0; i < n - 1; i++)
      if (compare(b + i * size, b + (n - 1) * size) < 0) { swap_bytes(b + i * size, b + store * size, size); store++; }
    swap_bytes(b + store * size, b + (n - 1) * size, size);
    quick(b, store, size, compare);
    b += (store + 1) * size;
    n -= store + 1;
  }
}

static int by_key(const void *a, const void *b) {
  const struct record *x = a, *y = b;
  return x->key < y->key ? -1 : x->key > y->key;
}
static int by_name(const void *a, const void *b) { return strcmp(((const struct record *)a)->name, ((const struct record *)b)->name); }
static int by_weight(const void *a, const void *b) {
  s64 x = ((const struct record *)a)->weight, y = ((const struct record *)b)->weight;
  return (x > y) - (x < y);
}

static void sift(u64 *a, size_t root, size_t n) {
  for (size_t child; (child = 2 * root + 1) < n; root = child) {
    if (child + 1 < n && a[child] < a[child + 1]) child++;
    if (a[root] >= a[child]) return;
    u64 t = a[root]; a[root] = a[child]; a[child] = t;
  }
}

static void heap_sort(u64 *a, size_t n) {
  for (size_t i = n / 2; i-- > 0;) sift(a, i, n);
  for (size_t i = n; i-- > 1;) { u64 t = a[0]; a[0] = a[i]; a[i] = t; sift(a, 0, i); }
}

static void merge_sort(u64 *a, u64 *t, size_t n) {
  if (n < 2) return;
  size_t half = n / 2;
  merge_sort(a, t, half);
  merge_sort(a + half, t, n - half);
  for (size_t i = 0, x = 0, y = half; i < n; i++) t[i] = x < half && (y == n || a[x] <= a[y]) ? a[x++] : a[y++];
  for (size_t i = 0; i < n; i++) a[i] = t[i];
}

static void radix_sort(u64 *a, u64 *t, size_t n) {
  for (int shift = 0; shift < 64; shift += 8) {
    u32 counts[257] = { 0 };
    for (size_t i = 0; i < n; i++) counts[(a[i] >> shift & 255) + 1]++;
    for (int i = 0; i < 256; i++) counts[i + 1] += counts[i];
    for (size_t i = 0; i < n; i++) t[counts[a[i] >> shift & 255]++] = a[i];
    u64 *s = a; a = t; t = s;
  }
}

struct node { struct node *left, *right; u64 key; u32 priority; };
static struct node nodes[2000];
static struct node *rotate(struct node *n, int left) {
  struct node *up = left ? n->right : n->left;
  if (left) { n->right = up->left; up->left = n; } else { n->left = up->right; up->right = n; }
  return up;
}
static struct node *insert(struct node *n, struct node *fresh) {
  if (!n) return fresh;
  if (fresh->key < n->key) { n->left = insert(n->left, fresh); if (n->left->priority > n->priority) n = rotate(n, 0); }
  else { n->right = insert(n->right, fresh); if (n->right->priority > n->priority) n = rotate(n, 1); }
  return n;
}
static u32 depth(const struct node *n) { if (!n) return 0; u32 l = depth(n->left), r = depth(n->right); return 1 + (l > r ? l : r); }
static u64 walked;
static void walk(const struct node *n) { if (!n) return; walk(n->left); walked = walked * 1099511628211UL ^ n->key; walk(n->right); }

static void fill(void) { for (u32 i = 0; i < COUNT(numbers); i++) numbers[i] = random64() >> (i & 31); }
static const char *sorted(void) { for (u32 i = 1; i < COUNT(numbers); i++) if (numbers[i - 1] > numbers[i]) return "WRONG"; return "sorted"; }

int main(u64 device_tree) {
  for (u32 i = 0; i < COUNT(records); i++) {
    u64 r = random64();
    records[i].key = (u32)r % 5000;
    records[i].weight = (s64)(r >> 20) - (1L << 43);
    format_into(records[i].name, sizeof records[i].name, "n%lx", r >> 40);
  }
  int (*const orders[])(const void *, const void *) = { by_key, by_name, by_weight };
  for (u32 k = 0; k < COUNT(orders); k++) {
    memcpy(copy, records, sizeof copy);
    quick(copy, COUNT(copy), sizeof *copy, orders[k]);
    for (u32 i = 1; i < COUNT(copy); i++) if (orders[k](&copy[i - 1], &copy[i]) > 0) print("out of order at %u\n", i);
    print("order %u: first %u %s %ld, last %u %s %ld\n", k, copy[0].key, copy[0].name, copy[0].weight, copy[599].key, copy[599].name, copy[599].weight);
  }
  fill(); heap_sort(numbers, COUNT(numbers)); print("heap %s %lx\n", sorted(), numbers[1000]);
  fill(); merge_sort(numbers, other, COUNT(numbers)); print("merge %s %lx\n", sorted(), numbers[1000]);
  fill(); radix_sort(numbers, other, COUNT(numbers)); print("radix %s %lx\n", sorted(), numbers[1000]);
  u32 hits = 0, probes = 0;
  for (u32 i = 0; i < 3000; i++) {
    u64 wanted = i % 3 ? numbers[i % COUNT(numbers)] : random64();
    u64 *low = numbers, *high = numbers + COUNT(numbers);
    while (low < high) { u64 *middle = low + (high - low) / 2; probes++; if (*middle < wanted) low = middle + 1; else high = middle; }
    hits += low < numbers + COUNT(numbers) && *low == wanted;
  }
  print("search %u hits %u probes\n", hits, probes);
  struct node *root = NULL;
  for (u32 i = 0; i < COUNT(nodes); i++) { nodes[i].key = random64(); nodes[i].priority = (u32)random64(); root = insert(root, &nodes[i]); }
  walk(root);
  print("treap depth %u hash %lx\n", depth(root), walked);
  return 0;
}
