/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* Times as ISO 8601 text. Days are counted by the proleptic Gregorian calendar with years that begin in March, so that leap days come last. */
#include "util/text.h"

static const int64_t DAY_US = INT64_C(86400000000);
static const int64_t FIRST_DAY = -719528; /* 0000-01-01 */
static const int64_t LAST_DAY = 2932896;  /* 9999-12-31 */

static int64_t day_of_date(int64_t year, int month, int day) {
  if (month <= 2) year--;
  int64_t era = (year >= 0 ? year : year - 399) / 400;
  int64_t year_of_era = year - era * 400;
  int64_t day_of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
  return era * 146097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719468;
}

static void date_of_day(int64_t days, int *year, int *month, int *day) {
  days += 719468;
  int64_t era = (days >= 0 ? days : days - 146096) / 146097;
  int64_t day_of_era = days - era * 146097;
  int64_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
  int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  int64_t shifted = (5 * day_of_year + 2) / 153;
  *day = (int)(day_of_year - (153 * shifted + 2) / 5 + 1);
  *month = (int)(shifted < 10 ? shifted + 3 : shifted - 9);
  *year = (int)(year_of_era + era * 400 + (*month <= 2));
}

static char *put_digits(char *out, int64_t value, int count) {
  for (int i = count - 1; i >= 0; i--) {
    out[i] = (char)('0' + value % 10);
    value /= 10;
  }
  return out + count;
}

void tmon_text_from_time(char out[TMON_ISO_TIME_BYTES], int64_t time_us) {
  int64_t days = time_us / DAY_US;
  int64_t rest = time_us % DAY_US;
  if (rest < 0) {
    rest += DAY_US;
    days--;
  }
  /* Fixed width has no room for other years: the nearest time it can show. */
  if (days < FIRST_DAY) {
    days = FIRST_DAY;
    rest = 0;
  } else if (days > LAST_DAY) {
    days = LAST_DAY;
    rest = DAY_US - 1;
  }
  int year, month, day;
  date_of_day(days, &year, &month, &day);
  out = put_digits(out, year, 4);
  *out++ = '-';
  out = put_digits(out, month, 2);
  *out++ = '-';
  out = put_digits(out, day, 2);
  *out++ = 'T';
  out = put_digits(out, rest / INT64_C(3600000000), 2);
  *out++ = ':';
  out = put_digits(out, rest / 60000000 % 60, 2);
  *out++ = ':';
  out = put_digits(out, rest / 1000000 % 60, 2);
  *out++ = '.';
  out = put_digits(out, rest % 1000000, 6);
  *out++ = 'Z';
  *out = 0;
}

/* Reads exactly `count` digits of a value in least..most and moves on. */
static bool take_number(const char **text, int count, int least, int most, int *out) {
  int value = 0;
  for (int i = 0; i < count; i++) {
    char digit = **text;
    if (digit < '0' || digit > '9') return false;
    value = value * 10 + (digit - '0');
    ++*text;
  }
  *out = value;
  return value >= least && value <= most;
}

static bool take(const char **text, char expected) {
  if (**text != expected) return false;
  ++*text;
  return true;
}

static int days_in_month(int year, int month) {
  static const int days[13] = {0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
  return days[month] + (month == 2 && leap);
}

/* Digits past the sixth are read and dropped: times are whole microseconds, never rounded into the next second. */
static bool take_fraction(const char **text, int *out_us) {
  int count = 0;
  int value = 0;
  for (; **text >= '0' && **text <= '9'; ++*text, count++)
    if (count < 6) value = value * 10 + (**text - '0');
  for (int i = count; i < 6; i++) value *= 10;
  *out_us = value;
  return count >= 1 && count <= 9;
}

static bool take_offset(const char **text, int *out_minutes) {
  *out_minutes = 0;
  if (take(text, 'Z') || take(text, 'z')) return true;
  int sign = **text == '-' ? -1 : 1;
  if (!take(text, '+') && !take(text, '-')) return false;
  int hours;
  int minutes = 0;
  if (!take_number(text, 2, 0, 23, &hours)) return false;
  if (**text && (take(text, ':'), !take_number(text, 2, 0, 59, &minutes))) return false;
  *out_minutes = sign * (hours * 60 + minutes);
  return true;
}

bool tmon_text_to_time(const char *text, int64_t *out_us) {
  int year, month, day;
  int hour = 0;
  int minute = 0;
  int second = 0;
  int fraction_us = 0;
  int offset_minutes = 0;
  if (!text || !take_number(&text, 4, 0, 9999, &year) || !take(&text, '-') || !take_number(&text, 2, 1, 12, &month) || !take(&text, '-') ||
      !take_number(&text, 2, 1, 31, &day) || day > days_in_month(year, month))
    return false;
  if (*text) {
    if (!take(&text, 'T') && !take(&text, 't') && !take(&text, ' ')) return false;
    if (!take_number(&text, 2, 0, 23, &hour) || !take(&text, ':') || !take_number(&text, 2, 0, 59, &minute)) return false;
    /* 60 is a leap second; like Unix time it counts as the next one. */
    if (take(&text, ':') && (!take_number(&text, 2, 0, 60, &second) || (take(&text, '.') && !take_fraction(&text, &fraction_us)))) return false;
    if (!take_offset(&text, &offset_minutes) || *text) return false;
  }
  int64_t seconds = (int64_t)(hour * 3600 + minute * 60 + second) - (int64_t)offset_minutes * 60;
  *out_us = day_of_date(year, month, day) * DAY_US + seconds * 1000000 + fraction_us;
  return true;
}
