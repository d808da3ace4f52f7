/* time.c - the module `time`.
 *
 * A time is a number of seconds since 1970-01-01 00:00 UTC, leap seconds not counted. The calendar
 * is the Gregorian one for the years 0 to 9999, reckoned here and not by the C library, so that no
 * locale and no limit of its types comes in; only the offset of local time is the system's. */
#include "../../gc/os.h"
#include "lib.h"

#include <math.h>
#include <string.h>
#include <time.h>

static const char *const months[] = {"January", "February", "March",     "April",   "May",
                                     "June",    "July",     "August",    "September", "October",
                                     "November", "December"};
static const char *const weekdays[] = {"Monday", "Tuesday",  "Wednesday", "Thursday",
                                       "Friday", "Saturday", "Sunday"};

#define TIME_MIN (-62167219200.0) /* 0000-01-01 */
#define TIME_END 253402300800.0   /* 10000-01-01 */
enum { DAY = 86400, DAYS_TO_1970 = 719528 /* from 0000-01-01 */ };

/* ---- calendar ------------------------------------------------------------------------------ */

typedef struct Date {
  int year, month, day, hour, minute, second; /* month and day from 1 */
  int weekday, yearday;                       /* 1 Monday .. 7 Sunday; from 1 */
  int offset;                                 /* seconds east of UTC */
  double fraction;
} Date;

static bool is_leap(int year) { return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0); }

static int month_days(int year, int month) {
  static const uint8_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  return days[month - 1] + (month == 2 && is_leap(year));
}

/* Days from 0000-01-01 to January 1st of a year >= 0. */
static int64_t days_before_year(int64_t year) {
  if (year == 0) return 0;
  int64_t y = year - 1;
  return year * 365 + y / 4 - y / 100 + y / 400 + 1; /* the year 0 is a leap year */
}

static int64_t days_of(int year, int month, int day) {
  int64_t days = days_before_year(year) + day - 1;
  for (int m = 1; m < month; m++) days += month_days(year, m);
  return days;
}

static void set_day(Date *d, int64_t days) { /* days from 0000-01-01 */
  int year = (int)(days * 400 / 146097);     /* right or one too large or small */
  while (days_before_year(year) > days) year--;
  while (days_before_year(year + 1) <= days) year++;
  int rest = (int)(days - days_before_year(year));
  d->year = year;
  d->yearday = rest + 1;
  for (d->month = 1; rest >= month_days(year, d->month); d->month++)
    rest -= month_days(year, d->month);
  d->day = rest + 1;
  d->weekday = (int)((days + 5) % 7) + 1; /* 0000-01-01 was a Saturday */
}

/* The date of a time in range, shifted by `offset` seconds. */
static void date_of(Date *d, double t, int offset) {
  double whole = floor(t);
  int64_t seconds = (int64_t)whole + offset + (int64_t)DAYS_TO_1970 * DAY;
  int64_t days = seconds >= 0 ? seconds / DAY : -((DAY - 1 - seconds) / DAY);
  int rest = (int)(seconds - days * DAY);
  set_day(d, days);
  d->hour = rest / 3600;
  d->minute = rest / 60 % 60;
  d->second = rest % 60;
  d->offset = offset;
  d->fraction = t - whole;
}

static double time_of(const Date *d) {
  int64_t days = days_of(d->year, d->month, d->day) - DAYS_TO_1970;
  int64_t seconds = days * DAY + d->hour * 3600 + d->minute * 60 + d->second - d->offset;
  return (double)seconds + d->fraction;
}

static int local_offset(double t) {
  time_t seconds = (time_t)floor(t);
  struct tm tm;
  return localtime_r(&seconds, &tm) ? (int)tm.tm_gmtoff : 0;
}

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_REALTIME, &t);
  return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* A time argument within the calendar (a day's margin for offsets); left out or nil: now. */
static bool time_arg(ox_VM *vm, Value v, double *out) {
  if (v == V_ABSENT || v == V_NIL) {
    *out = now();
    return vm_allows(vm, "time.now");
  }
  if (!arg_number(vm, v, "a time", out)) return false;
  if (*out >= TIME_MIN + DAY && *out < TIME_END - DAY) return true;
  vm_throw(vm, ERR_VALUE, "time: the time lies outside the years 0 to 9999");
  return false;
}

/* ---- clocks -------------------------------------------------------------------------------- */

static Value time_now(ox_VM *vm, Value *args, int nargs) {
  (void)vm, (void)args, (void)nargs;
  return v_from_float(now());
}

static Value time_monotonic(ox_VM *vm, Value *args, int nargs) {
  (void)vm, (void)args, (void)nargs;
  return v_from_float((double)os_now_ns() / 1e9);
}

/* In pieces of at most 50 ms, so that an interrupt is seen. */
static Value time_sleep(ox_VM *vm, Value *args, int nargs) {
  double seconds;
  (void)nargs;
  if (!lib_seconds(vm, args[0], "seconds of time.sleep", &seconds)) return V_ERROR;
  vm_flush(vm);
  uint64_t start = os_now_ns(), wanted = (uint64_t)(seconds * 1e9);
  for (;;) {
    if (!vm_poll(vm, 0)) return V_ERROR;
    uint64_t gone = os_now_ns() - start;
    if (gone >= wanted) return V_NIL;
    uint64_t rest = wanted - gone < 50000000 ? wanted - gone : 50000000;
    struct timespec t = {0, (long)rest};
    nanosleep(&t, NULL);
  }
}

/* ---- dates --------------------------------------------------------------------------------- */

static Value date_map(ox_VM *vm, const Date *d) {
  static const char *const names[] = {"year",   "month",   "day",     "hour",  "minute",
                                      "second", "weekday", "yearday", "offset"};
  const Value values[] = {v_from_int(d->year),    v_from_int(d->month),   v_from_int(d->day),
                          v_from_int(d->hour),    v_from_int(d->minute),  v_from_int(d->second),
                          v_from_int(d->weekday), v_from_int(d->yearday), v_from_int(d->offset)};
  Value list = lib_names(vm, LIB_TIME_NAMES, names, LIB_COUNT(names));
  return list == V_ERROR ? V_ERROR : map_from_names(vm, list, values, LIB_COUNT(names));
}

static Value time_utc(ox_VM *vm, Value *args, int nargs) {
  double t;
  Date d;
  (void)nargs;
  if (!time_arg(vm, args[0], &t)) return V_ERROR;
  date_of(&d, t, 0);
  return date_map(vm, &d);
}

static Value time_local(ox_VM *vm, Value *args, int nargs) {
  double t;
  Date d;
  (void)nargs;
  if (!time_arg(vm, args[0], &t)) return V_ERROR;
  date_of(&d, t, local_offset(t));
  return date_map(vm, &d);
}

typedef struct Field { const char *name; int64_t low, high; } Field;

/* Reads one part of a date. False: error pending. */
static bool part_arg(ox_VM *vm, Value v, const Field *field, int *out) {
  int64_t i;
  if (v == V_ABSENT) {
    *out = (int)field->low;
    return true;
  }
  if (!arg_int(vm, v, field->name, &i)) return false;
  *out = (int)i;
  if (i >= field->low && i <= field->high) return true;
  vm_throw(vm, ERR_VALUE, "time.make: %s must be from %lld to %lld", field->name,
           (long long)field->low, (long long)field->high);
  return false;
}

static Value time_make(ox_VM *vm, Value *args, int nargs) {
  static const Field fields[] = {{"year", 0, 9999}, {"month", 1, 12},  {"day", 1, 31},
                                 {"hour", 0, 23},   {"minute", 0, 59}};
  Date d = {0};
  int *parts[] = {&d.year, &d.month, &d.day, &d.hour, &d.minute};
  double seconds = 0;
  (void)nargs;
  for (int i = 0; i < LIB_COUNT(fields); i++)
    if (!part_arg(vm, args[i], &fields[i], parts[i])) return V_ERROR;
  if (d.day > month_days(d.year, d.month))
    return vm_throw(vm, ERR_VALUE, "time.make: %s %d has %d days", months[d.month - 1], d.year,
                    month_days(d.year, d.month));
  if (arg_given(args, 5) && !arg_number(vm, args[5], "second", &seconds)) return V_ERROR;
  if (!(seconds >= 0 && seconds < 60))
    return vm_throw(vm, ERR_VALUE, "time.make: second must be from 0 to 59.999...");
  return v_from_float(time_of(&d) + seconds);
}

/* ---- formatting ---------------------------------------------------------------------------- */

static void add_offset(Buf *b, int offset, const char *colon) {
  int size = offset < 0 ? -offset : offset;
  buf_printf(b, "%c%02d%s%02d", offset < 0 ? '-' : '+', size / 3600, colon, size / 60 % 60);
}

static int hour12(const Date *d) { return d->hour % 12 ? d->hour % 12 : 12; }

/* ISO 8601: the week that holds the year's first Thursday is week 1. */
static int iso_week(const Date *d, int *year) {
  int week = (d->yearday - d->weekday + 10) / 7;
  *year = d->year;
  if (week < 1) {
    Date last = {.year = d->year - 1};
    last.yearday = 365 + is_leap(last.year);
    last.weekday = (d->weekday - d->yearday % 7 + 6 + 7) % 7 + 1; /* of December 31st */
    return iso_week(&last, year);
  }
  int days = 365 + is_leap(d->year);
  if (week == 53 && d->yearday - d->weekday + 4 > days) {
    *year = d->year + 1;
    return 1;
  }
  return week;
}

static bool format_names(Buf *b, char c, const Date *d) {
  switch (c) {
    case 'a': buf_printf(b, "%.3s", weekdays[d->weekday - 1]); return true;
    case 'A': buf_puts(b, weekdays[d->weekday - 1]); return true;
    case 'b': case 'h': buf_printf(b, "%.3s", months[d->month - 1]); return true;
    case 'B': buf_puts(b, months[d->month - 1]); return true;
    case 'p': buf_puts(b, d->hour < 12 ? "AM" : "PM"); return true;
    case 'z': add_offset(b, d->offset, ""); return true;
    case 'n': buf_putc(b, '\n'); return true;
    case 't': buf_putc(b, '\t'); return true;
    case '%': buf_putc(b, '%'); return true;
  }
  return false;
}

static bool format_numbers(Buf *b, char c, const Date *d, double t) {
  int year;
  switch (c) {
    case 'Y': buf_printf(b, "%04d", d->year); return true;
    case 'C': buf_printf(b, "%02d", d->year / 100); return true;
    case 'y': buf_printf(b, "%02d", d->year % 100); return true;
    case 'm': buf_printf(b, "%02d", d->month); return true;
    case 'd': buf_printf(b, "%02d", d->day); return true;
    case 'e': buf_printf(b, "%2d", d->day); return true;
    case 'H': buf_printf(b, "%02d", d->hour); return true;
    case 'I': buf_printf(b, "%02d", hour12(d)); return true;
    case 'M': buf_printf(b, "%02d", d->minute); return true;
    case 'S': buf_printf(b, "%02d", d->second); return true;
    case 'f': buf_printf(b, "%06d", (int)(d->fraction * 1e6)); return true;
    case 'j': buf_printf(b, "%03d", d->yearday); return true;
    case 'u': buf_printf(b, "%d", d->weekday); return true;
    case 'w': buf_printf(b, "%d", d->weekday % 7); return true;
    case 'V': buf_printf(b, "%02d", iso_week(d, &year)); return true;
    case 'G': iso_week(d, &year); buf_printf(b, "%04d", year); return true;
    case 's': buf_printf(b, "%.0f", floor(t)); return true;
    case 'F': buf_printf(b, "%04d-%02d-%02d", d->year, d->month, d->day); return true;
    case 'T': buf_printf(b, "%02d:%02d:%02d", d->hour, d->minute, d->second); return true;
    case 'R': buf_printf(b, "%02d:%02d", d->hour, d->minute); return true;
    case 'D': buf_printf(b, "%02d/%02d/%02d", d->month, d->day, d->year % 100); return true;
  }
  return false;
}

static Value unknown_letter(ox_VM *vm, char c, const char *where) {
  if (!c) return vm_throw(vm, ERR_VALUE, "%s: a letter is missing behind %%", where);
  return vm_throw(vm, ERR_VALUE, "%s: unknown format letter %%%c (write %%%% for a percent sign)",
                  where, c);
}

static Value format_date(ox_VM *vm, const String *format, const Date *d, double t) {
  Buf b;
  buf_init(&b, vm);
  for (uint32_t i = 0; i < format->h.aux; i++) {
    if (format->chars[i] != '%') {
      buf_putc(&b, format->chars[i]);
      continue;
    }
    char c = format->chars[++i]; /* NUL behind the last byte */
    if (!format_names(&b, c, d) && !format_numbers(&b, c, d, t)) {
      buf_free(&b);
      return unknown_letter(vm, c, "time.format");
    }
  }
  return buf_finish(&b);
}

static Value time_format(ox_VM *vm, Value *args, int nargs) {
  double t;
  Date d;
  (void)nargs;
  if (!time_arg(vm, args[0], &t)) return V_ERROR;
  String *format = arg_string(vm, args[1], "format of time.format");
  if (!format) return V_ERROR;
  bool utc = args[2] == V_ABSENT || !v_is_falsy(args[2]);
  date_of(&d, t, utc ? 0 : local_offset(t));
  return format_date(vm, format, &d, t);
}

/* Milliseconds only where there are any; what lies below them is dropped. */
static Value time_iso(ox_VM *vm, Value *args, int nargs) {
  double t;
  Date d;
  (void)nargs;
  if (!time_arg(vm, args[0], &t)) return V_ERROR;
  date_of(&d, t, 0);
  Buf b;
  buf_init(&b, vm);
  buf_printf(&b, "%04d-%02d-%02dT%02d:%02d:%02d", d.year, d.month, d.day, d.hour, d.minute,
             d.second);
  int ms = (int)(d.fraction * 1000 + 1e-4); /* 0.123 as a double may lie just below */
  if (ms) buf_printf(&b, ".%03d", ms > 999 ? 999 : ms);
  buf_putc(&b, 'Z');
  return buf_finish(&b);
}

/* ---- parsing ------------------------------------------------------------------------------- */

typedef struct Scan {
  const char *s; /* NUL-terminated */
  Date d;
  bool pm, am, epoch;
  double seconds;
} Scan;

static bool scan_digit(const Scan *p) { return *p->s >= '0' && *p->s <= '9'; }

/* A number of at most `most` digits in low..high. */
static bool scan_int(Scan *p, int most, int low, int high, int *out) {
  int n = 0, count = 0;
  while (count < most && scan_digit(p)) {
    n = n * 10 + (*p->s++ - '0');
    count++;
  }
  *out = n;
  return count && n >= low && n <= high;
}

static bool scan_fraction(Scan *p) {
  double scale = 0.1;
  if (!scan_digit(p)) return false;
  p->d.fraction = 0;
  for (; scan_digit(p); p->s++, scale /= 10) p->d.fraction += (*p->s - '0') * scale;
  return true;
}

/* ASCII only, so no locale comes in. */
static bool same_letters(const char *a, const char *b, size_t n) {
  for (size_t i = 0; i < n; i++)
    if (!a[i] || (a[i] | 32) != (b[i] | 32)) return false;
  return true;
}

/* One of `n` names, whole or its first three letters. Gives its number from 1, or 0. */
static int scan_name(Scan *p, const char *const *names, int n) {
  for (int i = 0; i < n; i++) {
    size_t len = strlen(names[i]);
    if (!same_letters(p->s, names[i], len) && !same_letters(p->s, names[i], len = 3)) continue;
    p->s += len;
    return i + 1;
  }
  return 0;
}

static bool scan_offset(Scan *p) {
  int hours, minutes = 0, sign = *p->s == '-' ? -1 : 1;
  if (*p->s == 'Z' || *p->s == 'z') {
    p->s++;
    return true;
  }
  if (*p->s != '+' && *p->s != '-') return false;
  p->s++;
  if (!scan_int(p, 2, 0, 23, &hours)) return false;
  bool colon = *p->s == ':';
  p->s += colon;
  if ((colon || scan_digit(p)) && !scan_int(p, 2, 0, 59, &minutes)) return false;
  p->d.offset = sign * (hours * 3600 + minutes * 60);
  return true;
}

static bool scan_epoch(Scan *p) {
  double sign = *p->s == '-' ? -1 : 1;
  if (*p->s == '-') p->s++;
  if (!scan_digit(p)) return false;
  for (; scan_digit(p); p->s++) p->seconds = p->seconds * 10 + (*p->s - '0');
  p->seconds *= sign;
  return p->epoch = true;
}

static bool scan_char(Scan *p, char c) { return *p->s == c && p->s++; }
static void scan_blanks(Scan *p) {
  while (*p->s == ' ' || (*p->s >= '\t' && *p->s <= '\r')) p->s++;
}

static bool scan_date(Scan *p) {
  return scan_int(p, 4, 0, 9999, &p->d.year) && scan_char(p, '-') &&
         scan_int(p, 2, 1, 12, &p->d.month) && scan_char(p, '-') &&
         scan_int(p, 2, 1, 31, &p->d.day);
}

static bool scan_short_year(Scan *p) {
  if (!scan_int(p, 2, 0, 99, &p->d.year)) return false;
  p->d.year += p->d.year < 69 ? 2000 : 1900;
  return true;
}

static bool scan_american_date(Scan *p) {
  return scan_int(p, 2, 1, 12, &p->d.month) && scan_char(p, '/') &&
         scan_int(p, 2, 1, 31, &p->d.day) && scan_char(p, '/') && scan_short_year(p);
}

static bool scan_clock(Scan *p, bool seconds) {
  return scan_int(p, 2, 0, 23, &p->d.hour) && scan_char(p, ':') &&
         scan_int(p, 2, 0, 59, &p->d.minute) &&
         (!seconds || (scan_char(p, ':') && scan_int(p, 2, 0, 59, &p->d.second)));
}

static bool scan_half(Scan *p) {
  p->am = same_letters(p->s, "am", 2);
  p->pm = same_letters(p->s, "pm", 2);
  p->s += 2 * (p->am || p->pm);
  return p->am || p->pm;
}

/* 1 scanned, 0 does not fit, -1 unknown letter. */
static int scan_letter(Scan *p, char c) {
  int ignored;
  switch (c) {
    case 'Y': return scan_int(p, 4, 0, 9999, &p->d.year);
    case 'y': return scan_short_year(p);
    case 'm': return scan_int(p, 2, 1, 12, &p->d.month);
    case 'd': return scan_int(p, 2, 1, 31, &p->d.day);
    case 'e': scan_blanks(p); return scan_int(p, 2, 1, 31, &p->d.day);
    case 'H': return scan_int(p, 2, 0, 23, &p->d.hour);
    case 'I': return scan_int(p, 2, 1, 12, &p->d.hour);
    case 'M': return scan_int(p, 2, 0, 59, &p->d.minute);
    case 'S': return scan_int(p, 2, 0, 59, &p->d.second);
    case 'f': return scan_fraction(p);
    case 'j': return scan_int(p, 3, 1, 366, &p->d.yearday);
    case 'a': case 'A': return scan_name(p, weekdays, 7) != 0;
    case 'b': case 'B': case 'h': return (p->d.month = scan_name(p, months, 12)) != 0;
    case 'u': return scan_int(p, 1, 1, 7, &ignored);
    case 'p': return scan_half(p);
    case 'z': return scan_offset(p);
    case 's': return scan_epoch(p);
    case 'F': return scan_date(p);
    case 'D': return scan_american_date(p);
    case 'T': return scan_clock(p, true);
    case 'R': return scan_clock(p, false);
    case 'n': case 't': scan_blanks(p); return 1;
    case '%': return scan_char(p, '%');
  }
  return -1;
}

/* The time of what was scanned, or V_ERROR with nothing pending where there is no such date. */
static Value scan_finish(Scan *p) {
  if (p->epoch) return v_from_float(p->seconds + p->d.fraction);
  if (p->pm && p->d.hour < 12) p->d.hour += 12;
  else if (p->am && p->d.hour == 12) p->d.hour = 0;
  if (p->d.yearday) {
    if (p->d.yearday > 365 + is_leap(p->d.year)) return V_ERROR;
    Date day;
    set_day(&day, days_before_year(p->d.year) + p->d.yearday - 1);
    p->d.month = day.month;
    p->d.day = day.day;
  }
  if (p->d.day > month_days(p->d.year, p->d.month)) return V_ERROR;
  return v_from_float(time_of(&p->d));
}

static Scan scan_start(const char *s) {
  return (Scan){.s = s, .d = {.year = 1970, .month = 1, .day = 1}};
}

static Value no_fit(ox_VM *vm, const char *who, const String *text, const char *format) {
  return vm_throw(vm, ERR_VALUE, "%s: '%.80s' does not fit %s, or is no real date", who,
                  text->chars, format);
}

static Value time_parse(ox_VM *vm, Value *args, int nargs) {
  (void)nargs;
  String *text = arg_string(vm, args[0], "text of time.parse");
  String *format = text ? arg_string(vm, args[1], "format of time.parse") : NULL;
  if (!format) return V_ERROR;
  Scan p = scan_start(text->chars);
  for (const char *f = format->chars; *f; f++) {
    int fits = 1;
    if (*f == ' ') scan_blanks(&p);
    else if (*f != '%') fits = scan_char(&p, *f);
    else if ((fits = scan_letter(&p, *++f)) < 0) return unknown_letter(vm, *f, "time.parse");
    if (!fits) return no_fit(vm, "time.parse", text, format->chars);
  }
  bool all = p.s == text->chars + text->h.aux;
  Value t = all ? scan_finish(&p) : V_ERROR;
  return t == V_ERROR ? no_fit(vm, "time.parse", text, format->chars) : t;
}

/* YYYY-MM-DD, then perhaps T or a space and HH:MM[:SS[.f]] and Z or +HH:MM. */
static bool scan_iso(Scan *p) {
  if (!scan_date(p)) return false;
  if (!*p->s) return true;
  if (!scan_char(p, 'T') && !scan_char(p, 't') && !scan_char(p, ' ')) return false;
  if (!scan_clock(p, false)) return false;
  if (scan_char(p, ':')) {
    if (!scan_int(p, 2, 0, 59, &p->d.second)) return false;
    if (scan_char(p, '.') && !scan_fraction(p)) return false;
  }
  return !*p->s || scan_offset(p);
}

static Value time_parse_iso(ox_VM *vm, Value *args, int nargs) {
  (void)nargs;
  String *text = arg_string(vm, args[0], "text of time.parse_iso");
  if (!text) return V_ERROR;
  Scan p = scan_start(text->chars);
  bool fits = scan_iso(&p) && p.s == text->chars + text->h.aux;
  Value t = fits ? scan_finish(&p) : V_ERROR;
  return t == V_ERROR ? no_fit(vm, "time.parse_iso", text, "YYYY-MM-DDTHH:MM:SSZ") : t;
}

#define DATE_DOC \
  ": a map of year, month, day, hour, minute, second, weekday (1 Monday to 7 Sunday), yearday " \
  "(from 1) and offset (seconds east of UTC)."

static const NativeDef time_defs[] = {
    NATIVE("now", time_now, "now() -> float", "Seconds since 1970-01-01 00:00 UTC."),
    NATIVE("monotonic", time_monotonic, "monotonic() -> float",
           "Seconds of a clock that is never set back, for measuring; its start means nothing."),
    NATIVE("sleep", time_sleep, "sleep(seconds)", "Waits; an interrupt ends it."),
    NATIVE("utc", time_utc, "utc(t = now) -> map", "The date of a time in UTC" DATE_DOC),
    NATIVE("local", time_local, "local(t = now) -> map",
           "The date of a time in the system's time zone" DATE_DOC),
    NATIVE("make", time_make,
           "make(year, month = 1, day = 1, hour = 0, minute = 0, second = 0) -> float",
           "The time of a date in UTC; throws where there is no such date."),
    NATIVE("format", time_format, "format(t, format, utc = true) -> string",
           "The time as text by strftime's letters, always in English: %Y %m %d %H %M %S, %y "
           "%e %j, %a %A %b %B, %I %p, %F %T %R %D, %f (microseconds), %z, %s, %u %w, %G %V, "
           "%%; a time nil is now."),
    NATIVE("parse", time_parse, "parse(text, format) -> float",
           "The time of a text by the letters of format (a space stands for any blanks), in "
           "UTC unless %z is read; what is not given is taken from 1970-01-01; throws where it "
           "does not fit."),
    NATIVE("iso", time_iso, "iso(t = now) -> string",
           "The time as YYYY-MM-DDTHH:MM:SSZ, with milliseconds where it has any."),
    NATIVE("parse_iso", time_parse_iso, "parse_iso(text) -> float",
           "The time of a date, or a date and a clock time, in ISO 8601; UTC unless it has an "
           "offset."),
};

const ModuleDef module_time = {
    "time", "Clocks and calendar: times are seconds since 1970-01-01 00:00 UTC.",
    time_defs, LIB_COUNT(time_defs), -1, NULL};
