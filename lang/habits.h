/* habits.h - words of other languages, and what to write here instead. */
#ifndef OX_LANG_HABITS_H
#define OX_LANG_HABITS_H

/* A hint for somebody who wrote `word` as a name or at the head of a statement; NULL: none. */
const char *habit_of_word(const char *word);

/* The same for one who calls it. */
const char *habit_of_call(const char *word);

/* What to write for a member that others have, to stand behind "write"; NULL: none. */
const char *habit_of_member(const char *word);

#endif
