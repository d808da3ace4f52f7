/* Tokens: the words of the language, from one table. */
#ifndef OX_LANG_TOKEN_H
#define OX_LANG_TOKEN_H

#include <stdbool.h>
#include <stdint.h>

#include "ast.h"

/* X(enumerator, spelling). Keywords are reserved except after `.`, as map keys, argument names
 * and method names. `from`, `as` and `_` are plain names. */
#define TOKEN_KEYWORDS(X)        \
  X(TOKEN_AND, "and")            \
  X(TOKEN_BREAK, "break")        \
  X(TOKEN_CATCH, "catch")        \
  X(TOKEN_CLASS, "class")        \
  X(TOKEN_CONST, "const")        \
  X(TOKEN_CONTINUE, "continue")  \
  X(TOKEN_DEFER, "defer")        \
  X(TOKEN_ELSE, "else")          \
  X(TOKEN_EXPORT, "export")      \
  X(TOKEN_FALSE, "false")        \
  X(TOKEN_FINALLY, "finally")    \
  X(TOKEN_FN, "fn")              \
  X(TOKEN_FOR, "for")            \
  X(TOKEN_IF, "if")              \
  X(TOKEN_IMPORT, "import")      \
  X(TOKEN_IN, "in")              \
  X(TOKEN_IS, "is")              \
  X(TOKEN_LET, "let")            \
  X(TOKEN_MATCH, "match")        \
  X(TOKEN_NIL, "nil")            \
  X(TOKEN_NOT, "not")            \
  X(TOKEN_OR, "or")              \
  X(TOKEN_RETURN, "return")      \
  X(TOKEN_SELF, "self")          \
  X(TOKEN_SUPER, "super")        \
  X(TOKEN_THROW, "throw")        \
  X(TOKEN_TRUE, "true")          \
  X(TOKEN_TRY, "try")            \
  X(TOKEN_WHILE, "while")        \
  X(TOKEN_YIELD, "yield")

/* Punctuation; of several that fit, the longest is taken. The last group is no part of the
 * language: those are read so that the parser can say what to write instead. */
#define TOKEN_PUNCTUATION(X)       \
  X(TOKEN_LPAREN, "(")             \
  X(TOKEN_RPAREN, ")")             \
  X(TOKEN_LBRACKET, "[")           \
  X(TOKEN_RBRACKET, "]")           \
  X(TOKEN_LBRACE, "{")             \
  X(TOKEN_RBRACE, "}")             \
  X(TOKEN_COMMA, ",")              \
  X(TOKEN_SEMICOLON, ";")          \
  X(TOKEN_COLON, ":")              \
  X(TOKEN_DOT, ".")                \
  X(TOKEN_DOT_DOT, "..")           \
  X(TOKEN_DOT_DOT_EQUAL, "..=")    \
  X(TOKEN_ELLIPSIS, "...")         \
  X(TOKEN_QUESTION_DOT, "?.")      \
  X(TOKEN_COALESCE, "??")          \
  X(TOKEN_ARROW, "=>")             \
  X(TOKEN_PIPE_GREATER, "|>")      \
  X(TOKEN_PLUS, "+")               \
  X(TOKEN_MINUS, "-")              \
  X(TOKEN_STAR, "*")               \
  X(TOKEN_SLASH, "/")              \
  X(TOKEN_SLASH_SLASH, "//")       \
  X(TOKEN_PERCENT, "%")            \
  X(TOKEN_STAR_STAR, "**")         \
  X(TOKEN_AT, "@")                 \
  X(TOKEN_AMPERSAND, "&")          \
  X(TOKEN_PIPE, "|")               \
  X(TOKEN_CARET, "^")              \
  X(TOKEN_TILDE, "~")              \
  X(TOKEN_SHIFT_LEFT, "<<")        \
  X(TOKEN_SHIFT_RIGHT, ">>")       \
  X(TOKEN_EQUAL_EQUAL, "==")       \
  X(TOKEN_BANG_EQUAL, "!=")        \
  X(TOKEN_LESS, "<")               \
  X(TOKEN_LESS_EQUAL, "<=")        \
  X(TOKEN_GREATER, ">")            \
  X(TOKEN_GREATER_EQUAL, ">=")     \
  X(TOKEN_EQUAL, "=")              \
  X(TOKEN_PLUS_EQUAL, "+=")        \
  X(TOKEN_MINUS_EQUAL, "-=")       \
  X(TOKEN_STAR_EQUAL, "*=")        \
  X(TOKEN_SLASH_EQUAL, "/=")       \
  X(TOKEN_SLASH_SLASH_EQUAL, "//=") \
  X(TOKEN_PERCENT_EQUAL, "%=")     \
  X(TOKEN_STAR_STAR_EQUAL, "**=")  \
  X(TOKEN_AT_EQUAL, "@=")          \
  X(TOKEN_AMPERSAND_EQUAL, "&=")   \
  X(TOKEN_PIPE_EQUAL, "|=")        \
  X(TOKEN_CARET_EQUAL, "^=")       \
  X(TOKEN_SHIFT_LEFT_EQUAL, "<<=") \
  X(TOKEN_SHIFT_RIGHT_EQUAL, ">>=") \
  X(TOKEN_COALESCE_EQUAL, "?\?=")  \
  X(TOKEN_BANG, "!")               \
  X(TOKEN_AND_AND, "&&")           \
  X(TOKEN_PIPE_PIPE, "||")         \
  X(TOKEN_QUESTION, "?")           \
  X(TOKEN_STRICT_EQUAL, "===")     \
  X(TOKEN_STRICT_NOT_EQUAL, "!==") \
  X(TOKEN_THIN_ARROW, "->")

typedef enum TokenKind {
  TOKEN_EOF,
  TOKEN_ERROR, /* something already reported */
  TOKEN_NAME,  /* name */
  TOKEN_INT,   /* integer: up to 2^63, which only a unary minus may precede */
  TOKEN_FLOAT, /* number */
  TOKEN_STRING, /* text: a whole string literal without interpolation */
  /* "a${ x }b${ y }c" is HEAD(a) x MIDDLE(b) y TAIL(c), text each */
  TOKEN_STRING_HEAD,
  TOKEN_STRING_MIDDLE,
  TOKEN_STRING_TAIL,
#define X(name, spelling) name,
  TOKEN_KEYWORDS(X) TOKEN_PUNCTUATION(X)
#undef X
      TOKEN_KIND_COUNT
} TokenKind;

/* What a bracket's `closer` is where none was found. */
#define TOKEN_UNCLOSED UINT32_MAX

typedef struct Token {
  uint8_t kind;
  bool newline_before; /* first on its line (comments apart) */
  bool is_broken;      /* a literal that the lexer reported as wrong */
  Span span;
  union {
    Name *name; /* TOKEN_NAME and keywords */
    uint64_t integer;
    double number;
    const Text *text;
    uint32_t closer; /* of ( [ { and STRING_HEAD: index of the token that closes it */
  };
} Token;

/* Spelling of a keyword or punctuation, else a description such as "a name". */
const char *token_kind_text(TokenKind kind);

/* Keyword of that spelling, else TOKEN_NAME. */
TokenKind token_find_keyword(const char *chars, size_t len);

/* The longest punctuation that `chars` (NUL-terminated) starts with; TOKEN_ERROR for none. */
TokenKind token_find_punctuation(const char *chars, size_t *len);

static inline bool token_is_keyword(TokenKind kind) {
  return kind >= TOKEN_AND && kind <= TOKEN_YIELD;
}

/* A name or a keyword: what may stand after `.` or as a map key. */
static inline bool token_is_word(TokenKind kind) {
  return kind == TOKEN_NAME || token_is_keyword(kind);
}

#endif
