/* The instruction set as C: enumerators, encoding, and a table to look things up in.
 *
 * Everything here is made from opcodes.def, which also explains the formats. Code is an array of
 * 32-bit words; an instruction is one word and, for some, further words behind it.
 */
#ifndef OX_LANG_OPCODE_H
#define OX_LANG_OPCODE_H

#include <stdbool.h>
#include <stdint.h>

typedef enum Opcode {
#define OP(name, format, words, meaning) OP_##name,
#include "opcodes.def"
#undef OP
  OP_COUNT
} Opcode;

_Static_assert(OP_COUNT <= 256, "an opcode is one byte");

typedef enum OpFormat {
  FORMAT_ABC,  /* three bytes */
  FORMAT_AD,   /* a byte and 16 unsigned bits */
  FORMAT_ASD,  /* a byte and 16 signed bits */
  FORMAT_J,    /* 24 signed bits: a displacement */
  FORMAT_JABD, /* registers A and B, displacement in the next word */
  FORMAT_JASD, /* register A, signed D, displacement in the next word */
  FORMAT_JAD,  /* register A, constant D, displacement in the next word */
  FORMAT_JA    /* register A, displacement in the next word */
} OpFormat;

typedef struct OpInfo {
  const char *name;
  const char *meaning;
  OpFormat format;
  int words; /* further words; -1: CLOSURE, whose first further word tells the rest */
} OpInfo;

/* Indexed by Opcode. */
extern const OpInfo ox_op_info[OP_COUNT];

/* Registers that name something else where a frame is meant. */
enum {
  FRAME_NONE = 254, /* CLOSURE: the closure needs no frame */
  FRAME_OWN = 255,  /* CLOSURE, NEWFRAME: the frame of the running closure */
  NO_SUPERCLASS = 255, /* CLASS */
  SUPER_UNBOUND = 255  /* SUPERGET */
};

/* D of LOADP. */
enum { PRIM_NIL, PRIM_FALSE, PRIM_TRUE, PRIM_ABSENT };

/* A capture word of CLOSURE: a register, or this plus an index into the running closure's own
 * captured values. */
enum { CAPTURE_OWN = 256 };

static inline uint32_t op_make_abc(Opcode op, unsigned a, unsigned b, unsigned c) {
  return (uint32_t)op | (a & 0xFFu) << 8 | (b & 0xFFu) << 16 | (c & 0xFFu) << 24;
}

/* `d` as 16 bits, signed or unsigned. */
static inline uint32_t op_make_ad(Opcode op, unsigned a, int32_t d) {
  return (uint32_t)op | (a & 0xFFu) << 8 | (uint32_t)d << 16;
}

static inline uint32_t op_make_j(Opcode op, int32_t displacement) {
  return (uint32_t)op | (uint32_t)displacement << 8;
}

static inline Opcode op_code(uint32_t ins) { return (Opcode)(ins & 0xFFu); }
static inline unsigned op_a(uint32_t ins) { return ins >> 8 & 0xFFu; }
static inline unsigned op_b(uint32_t ins) { return ins >> 16 & 0xFFu; }
static inline unsigned op_c(uint32_t ins) { return ins >> 24; }
static inline int op_signed_c(uint32_t ins) { return (int8_t)(ins >> 24); }
static inline unsigned op_d(uint32_t ins) { return ins >> 16; }
static inline int op_signed_d(uint32_t ins) { return (int16_t)(ins >> 16); }
static inline int32_t op_signed_j(uint32_t ins) { return (int32_t)ins >> 8; }

/* The further word of cached instructions: constant | cache << 16. */
static inline uint32_t op_make_cached(uint32_t constant, uint32_t cache) {
  return (constant & 0xFFFFu) | cache << 16;
}
static inline unsigned op_cached_constant(uint32_t word) { return word & 0xFFFFu; }
static inline unsigned op_cached_cache(uint32_t word) { return word >> 16; }

/* First further word of CLOSURE. */
static inline uint32_t op_make_closure_word(unsigned frame, uint32_t captures) {
  return (frame & 0xFFu) | captures << 8;
}
static inline unsigned op_closure_frame(uint32_t word) { return word & 0xFFu; }
static inline uint32_t op_closure_captures(uint32_t word) { return word >> 8; }

/* Second word of UNPACK. */
static inline uint32_t op_make_unpack(uint32_t required, bool has_rest) {
  return (required & 0xFFFFu) | (uint32_t)has_rest << 16;
}
static inline unsigned op_unpack_required(uint32_t word) { return word & 0xFFFFu; }
static inline bool op_unpack_has_rest(uint32_t word) { return (word >> 16 & 1u) != 0; }

/* Words of the instruction at `code`, its further words included. */
static inline uint32_t op_length(const uint32_t *code) {
  int words = ox_op_info[op_code(*code)].words;
  return words >= 0 ? 1u + (uint32_t)words : 2u + op_closure_captures(code[1]);
}

/* True if the instruction's further word is a displacement. */
bool op_has_displacement(Opcode op);

#endif
