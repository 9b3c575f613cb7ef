/* GICv3: where its windows are, its system registers, an ITS queue. */
#pragma once
#include "guest.h"

#define GICD_BASE 0x08000000UL
#define GITS_BASE 0x08080000UL
#define GICR_BASE 0x080a0000UL
#define GICD(o) (*(volatile u32 *)(GICD_BASE + (o)))
#define GICD8(o) (*(volatile u8 *)(GICD_BASE + (o)))
#define GICD64(o) (*(volatile u64 *)(GICD_BASE + (o)))
#define GICR(o) (*(volatile u32 *)(GICR_BASE + (o)))
#define GICR8(o) (*(volatile u8 *)(GICR_BASE + (o)))
#define GICR64(o) (*(volatile u64 *)(GICR_BASE + (o)))
#define GITS(o) (*(volatile u32 *)(GITS_BASE + (o)))
#define GITS64(o) (*(volatile u64 *)(GITS_BASE + (o)))
#define SGI_FRAME 0x10000

#define ICC_PMR S3_0_C4_C6_0
#define ICC_IAR0 S3_0_C12_C8_0
#define ICC_EOIR0 S3_0_C12_C8_1
#define ICC_HPPIR0 S3_0_C12_C8_2
#define ICC_BPR0 S3_0_C12_C8_3
#define ICC_AP0R0 S3_0_C12_C8_4
#define ICC_AP1R0 S3_0_C12_C9_0
#define ICC_DIR S3_0_C12_C11_1
#define ICC_RPR S3_0_C12_C11_3
#define ICC_SGI1R S3_0_C12_C11_5
#define ICC_ASGI1R S3_0_C12_C11_6
#define ICC_SGI0R S3_0_C12_C11_7
#define ICC_IAR1 S3_0_C12_C12_0
#define ICC_EOIR1 S3_0_C12_C12_1
#define ICC_HPPIR1 S3_0_C12_C12_2
#define ICC_BPR1 S3_0_C12_C12_3
#define ICC_CTLR S3_0_C12_C12_4
#define ICC_SRE S3_0_C12_C12_5
#define ICC_IGRPEN0 S3_0_C12_C12_6
#define ICC_IGRPEN1 S3_0_C12_C12_7
/* READ and WRITE take a name as it stands; these expand it before. */
#define ICC_READ(reg) READ(reg)
#define ICC_WRITE(reg, v) do { WRITE(reg, v); ISB(); } while (0)
