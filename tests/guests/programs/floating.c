/* Floating point as compilers make it: matrices, planets, fractals, series, conversions, text; rounding modes and the cumulative flags. */
#include "guest.h"

#define SIZE 24
static double da[SIZE][SIZE], db[SIZE][SIZE], dc[SIZE][SIZE];
static float fa[SIZE][SIZE], fb[SIZE][SIZE], fc[SIZE][SIZE];

static u64 bits(double value) { u64 b; memcpy(&b, &value, 8); return b; }
static u32 bits_f(float value) { u32 b; memcpy(&b, &value, 4); return b; }

static void matrices(void) {
  for (int i = 0; i < SIZE; i++)
    for (int j = 0; j < SIZE; j++) {
      da[i][j] = (i * 7 + j * 3) % 11 - 5 + 1.0 / (i + j + 1);
      db[i][j] = (i * 5 + j) % 13 / 3.0;
      fa[i][j] = (float)da[i][j];
      fb[i][j] = (float)db[i][j];
    }
  for (int n = 0; n < 4; n++) {
    for (int i = 0; i < SIZE; i++)
      for (int j = 0; j < SIZE; j++) { dc[i][j] = 0; fc[i][j] = 0; }
    for (int i = 0; i < SIZE; i++)
      for (int k = 0; k < SIZE; k++)
        for (int j = 0; j < SIZE; j++) { dc[i][j] += da[i][k] * db[k][j]; fc[i][j] += fa[i][k] * fb[k][j]; }
    for (int i = 0; i < SIZE; i++)
      for (int j = 0; j < SIZE; j++) { da[i][j] = dc[i][j] / 100; fa[i][j] = fc[i][j] / 100; }
  }
  print("matrices %x %x %lx\n", checksum((u8 *)dc, sizeof dc), checksum((u8 *)fc, sizeof fc), bits(dc[3][4]));
}

struct body { double x[3], v[3], mass; };
static struct body bodies[5];

static double energy(void) {
  double e = 0;
  for (int i = 0; i < 5; i++) {
    e += 0.5 * bodies[i].mass * (bodies[i].v[0] * bodies[i].v[0] + bodies[i].v[1] * bodies[i].v[1] + bodies[i].v[2] * bodies[i].v[2]);
    for (int j = i + 1; j < 5; j++) {
      double square = 0;
      for (int k = 0; k < 3; k++) { double d = bodies[i].x[k] - bodies[j].x[k]; square += d * d; }
      e -= bodies[i].mass * bodies[j].mass / __builtin_sqrt(square);
    }
  }
  return e;
}

static void planets(void) {
  for (int i = 0; i < 5; i++)
    for (int k = 0; k < 3; k++) {
      bodies[i].x[k] = (i + 1) * (k + 2) * (i & 1 ? 1.25 : -0.75);
      bodies[i].v[k] = 0.1 * (k - 1) * (5 - i);
      bodies[i].mass = 1.0 / (i + 1);
    }
  print("energy %lx\n", bits(energy()));
  for (int step = 0; step < 300; step++) {
    for (int i = 0; i < 5; i++)
      for (int j = i + 1; j < 5; j++) {
        double d[3], square = 0;
        for (int k = 0; k < 3; k++) { d[k] = bodies[i].x[k] - bodies[j].x[k]; square += d[k] * d[k]; }
        double pull = 0.01 / (square * __builtin_sqrt(square));
        for (int k = 0; k < 3; k++) { bodies[i].v[k] -= d[k] * bodies[j].mass * pull; bodies[j].v[k] += d[k] * bodies[i].mass * pull; }
      }
    for (int i = 0; i < 5; i++)
      for (int k = 0; k < 3; k++) bodies[i].x[k] += 0.01 * bodies[i].v[k];
  }
  print("energy %lx, %x\n", bits(energy()), checksum((u8 *)bodies, sizeof bodies));
}

static void fractal(void) {
  u32 inside = 0, steps = 0;
  for (int row = 0; row < 24; row++) {
    char line[49];
    for (int column = 0; column < 48; column++) {
      float x = column / 16.0f - 2.2f, y = row / 10.0f - 1.2f, a = 0, b = 0;
      int n = 0;
      while (n < 60 && a * a + b * b < 4) { float t = a * a - b * b + x; b = 2 * a * b + y; a = t; n++; }
      line[column] = " .:-=+*#%@"[n * 9 / 60];
      inside += n == 60;
      steps += n;
    }
    line[48] = 0;
    if (row % 4 == 0) print("%s\n", line);
  }
  print("fractal %u %u\n", inside, steps);
}

/* The series of the exponential function and the sine. */
static double exponential(double x) { double sum = 1, term = 1; for (int n = 1; n < 40; n++) { term *= x / n; sum += term; } return sum; }
static double sine(double x) { double sum = x, term = x; for (int n = 1; n < 25; n++) { term *= -x * x / ((2 * n) * (2 * n + 1)); sum += term; } return sum; }

static void series(void) {
  u64 all = 0;
  for (int i = -20; i <= 20; i++) all = all * 31 + (bits(exponential(i / 4.0)) ^ bits(sine(i / 3.0)));
  print("series %lx %lx %lx\n", all, bits(exponential(1)), bits(sine(3)));
}

static volatile double sources[] = { 0.5, -0.5, 1.5, 2.5, -2.5, 1e10, -1e10, 1e19, -1e19, 1e300, 4e-320, 0.0, -0.0, 2147483647.5, 4294967295.5 };

static void conversions(void) {
  for (u32 i = 0; i < sizeof sources / 8; i++) {
    double x = sources[i];
    s64 l; u64 ul; s32 w; u32 uw; double floor, ceil, near, away; float single;
    __asm__("fcvtzs %0, %d1" : "=r"(l) : "w"(x));
    __asm__("fcvtnu %0, %d1" : "=r"(ul) : "w"(x));
    __asm__("fcvtas %w0, %d1" : "=r"(w) : "w"(x));
    __asm__("fcvtmu %w0, %d1" : "=r"(uw) : "w"(x));
    __asm__("frintm %d0, %d1" : "=w"(floor) : "w"(x));
    __asm__("frintp %d0, %d1" : "=w"(ceil) : "w"(x));
    __asm__("frintn %d0, %d1" : "=w"(near) : "w"(x));
    __asm__("frinta %d0, %d1" : "=w"(away) : "w"(x));
    single = (float)x;
    print("%lx %lx %x %x %lx %lx %lx %lx %x\n", (u64)l, ul, (u32)w, uw, bits(floor), bits(ceil), bits(near), bits(away), bits_f(single));
  }
  u64 all = 0;
  for (u64 n = 1; n; n <<= 1) all = all * 31 + (bits((double)n) ^ bits((double)(s64)(n * 3)) ^ bits_f((float)(n * 5 + 1)) ^ bits_f((float)(s32)n));
  print("integers %lx\n", all);
}

/* A number with so many places after the point, and back again. */
static void decimal(char *to, double value, int places) {
  if (value < 0) { *to++ = '-'; value = -value; }
  u64 whole = (u64)value;
  double rest = value - (double)whole;
  char digits[24]; int n = 0;
  do digits[n++] = '0' + whole % 10; while (whole /= 10);
  while (n) *to++ = digits[--n];
  *to++ = '.';
  while (places--) { rest *= 10; int digit = (int)rest; *to++ = '0' + digit; rest -= digit; }
  *to = 0;
}
static double parsed(const char *text) {
  double value = 0, scale = 1; int point = 0, minus = *text == '-';
  for (text += minus; *text; text++) {
    if (*text == '.') { point = 1; continue; }
    value = value * 10 + (*text - '0');
    if (point) scale *= 10;
  }
  return minus ? -value / scale : value / scale;
}

static void text(void) {
  static const char *numbers[] = { "3.14159265358979", "-2.71828", "0.1", "123456789.987654321", "-0.000244140625" };
  for (u32 i = 0; i < 5; i++) {
    char buffer[64];
    double value = parsed(numbers[i]);
    decimal(buffer, value, 12);
    print("%s is %s, %lx\n", numbers[i], buffer, bits(value));
  }
}

static volatile float edges[] = { 1.0f, 3.0f, 1e-38f, 1e-42f, 3e38f, 0.0f, -1.0f };

static void modes(void) {
  for (u64 mode = 0; mode < 8; mode++) {
    u64 all = 0, flags;
    WRITE(fpcr, (mode & 3) << 22 | (mode >> 2) << 24);
    WRITE(fpsr, 0);
    for (u32 i = 0; i < 7; i++)
      for (u32 j = 0; j < 7; j++) {
        float a = edges[i], b = edges[j];
        all = all * 31 + bits_f(a / b) + bits_f(a * b) * 3ul + bits_f(a - b) * 5ul + bits_f(__builtin_sqrtf(a)) + bits((double)a * b) + (a < b) + (a == b) * 2;
      }
    flags = READ(fpsr);
    print("mode %lu: %lx, flags %lx\n", mode, all, flags);
  }
  WRITE(fpcr, 0);
}

int main(u64 device_tree) {
  matrices();
  planets();
  fractal();
  series();
  conversions();
  text();
  modes();
  return 0;
}
