/* Matrix multiplication in single precision with NEON, and its check in double precision. */
#include "guest.h"

#define N 192
typedef float vector __attribute__((vector_size(16)));

static float a[N][N], b[N][N] __attribute__((aligned(16))), c[N][N] __attribute__((aligned(16)));

static void multiply(void) {
  for (int i = 0; i < N; i++) {
    for (int j = 0; j < N; j += 8) {
      vector low = {0}, high = {0};
      for (int k = 0; k < N; k++) {
        vector x = {a[i][k], a[i][k], a[i][k], a[i][k]};
        low += x * *(vector *)&b[k][j];
        high += x * *(vector *)&b[k][j + 4];
      }
      *(vector *)&c[i][j] = low;
      *(vector *)&c[i][j + 4] = high;
    }
  }
}

int main(void) {
  __asm__ volatile("msr cpacr_el1, %0\n\tisb" ::"r"(3UL << 20));
  u64 random = 88172645463325252UL, sum = 0;
  for (int i = 0; i < N; i++) {
    for (int j = 0; j < N; j++) {
      random ^= random << 13; random ^= random >> 7; random ^= random << 17;
      a[i][j] = (float)(random & 0xffff) / 65536.0f - 0.5f;
      b[i][j] = (float)(random >> 48) / 65536.0f - 0.5f;
    }
  }
  for (int pass = 0; pass < 12; pass++) {
    multiply();
    double trace = 0;
    for (int i = 0; i < N; i++) trace += c[i][i];
    sum += (u64)(long)(trace * 1e6);
    for (int i = 0; i < N; i++) a[pass][i] += c[i][pass] * 0.001f;
  }
  report("matmul", sum);
  return 0;
}
