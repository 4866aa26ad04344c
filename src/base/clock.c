/* base/clock.c - time and its text forms; the proleptic Gregorian calendar by arithmetic */
#include "base/clock.h"

#include "base/own.h"

#include <stdio.h>
#include <time.h>

#define MINUTE_SECONDS ((int64_t)60)
#define HOUR_SECONDS   ((int64_t)3600)
#define DAY_SECONDS    ((int64_t)86400)
#define YEAR_SECONDS   (365 * DAY_SECONDS) /* of ages */
#define WALL_MAX       253402300799        /* 9999-12-31T23:59:59Z: what four digits can say */

int64_t clock_mono_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int64_t clock_wall(void)
{
	return clock_wall_us() / 1000000;
}

int64_t clock_wall_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

struct date {
	int year, month, day; /* month and day from 1 */
	int hour, minute, second;
	int weekday; /* 0: Sunday */
};

static const char month_names[12][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
					"Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
static const char day_names[7][10] = {"Sunday",   "Monday", "Tuesday", "Wednesday",
				      "Thursday", "Friday", "Saturday"};

static bool is_leap(int year)
{
	return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

static int month_days(int year, int month)
{
	static const int days[12] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

	return days[month - 1] + (month == 2 && is_leap(year));
}

/* Days from 1970-01-01 to January 1st of the year, for years from 1. */
static int64_t days_to_year(int year)
{
	int64_t before = year - 1;

	return before * 365 + before / 4 - before / 100 + before / 400 - 719162;
}

static struct date date_of(int64_t wall)
{
	int64_t days, seconds;
	struct date date;

	wall = wall < 0 ? 0 : wall > WALL_MAX ? WALL_MAX : wall;
	days = wall / DAY_SECONDS;
	seconds = wall % DAY_SECONDS;
	date.weekday = (int)((days + 4) % 7); /* the epoch was a Thursday */
	date.year = 1970 + (int)(days / 366); /* never too late; at most some 6 years too early */
	while (days_to_year(date.year + 1) <= days)
		date.year++;
	days -= days_to_year(date.year);
	for (date.month = 1; days >= month_days(date.year, date.month); date.month++)
		days -= month_days(date.year, date.month);
	date.day = (int)days + 1;
	date.hour = (int)(seconds / 3600);
	date.minute = (int)(seconds / 60 % 60);
	date.second = (int)(seconds % 60);
	return date;
}

/* False: no such date or time. Second 60 is a leap second and counts as the next one. */
static bool date_to_wall(const struct date *date, int64_t *wall)
{
	int64_t days;

	if (date->year < 1 || date->year > 9999 || date->month < 1 || date->month > 12 ||
	    date->day < 1 || date->day > month_days(date->year, date->month) || date->hour > 23 ||
	    date->minute > 59 || date->second > 60)
		return false;
	days = days_to_year(date->year) + date->day - 1;
	for (int month = 1; month < date->month; month++)
		days += month_days(date->year, month);
	*wall = days * DAY_SECONDS + date->hour * HOUR_SECONDS + date->minute * MINUTE_SECONDS +
		date->second;
	return true;
}

void clock_rfc3339(int64_t wall, char out[CLOCK_TEXT_SIZE])
{
	struct date date = date_of(wall);

	snprintf(out, CLOCK_TEXT_SIZE, "%04d-%02d-%02dT%02d:%02d:%02dZ", date.year, date.month,
		 date.day, date.hour, date.minute, date.second);
}

void clock_http_date(int64_t wall, char out[CLOCK_TEXT_SIZE])
{
	struct date date = date_of(wall);

	snprintf(out, CLOCK_TEXT_SIZE, "%.3s, %02d %s %04d %02d:%02d:%02d GMT",
		 day_names[date.weekday], date.day, month_names[date.month - 1], date.year,
		 date.hour, date.minute, date.second);
}

/* ---- readers: each takes its piece off the front of *text; false: something else stands there
 * ---- */
static bool take_number(struct str_view *text, size_t digits, int *number)
{
	uint64_t value;

	if (text->len < digits || !sv_to_u64(sv_head(*text, digits), &value))
		return false;
	*number = (int)value;
	*text = sv_skip(*text, digits);
	return true;
}

static bool take_text(struct str_view *text, struct str_view what)
{
	if (!sv_starts(*text, what))
		return false;
	*text = sv_skip(*text, what.len);
	return true;
}

static bool take_month(struct str_view *text, int *month)
{
	for (int i = 0; i < 12; i++) {
		if (take_text(text, sv_from(month_names[i]))) {
			*month = i + 1;
			return true;
		}
	}
	return false;
}

/* "15:04:05" */
static bool take_time(struct str_view *text, struct date *date)
{
	return take_number(text, 2, &date->hour) && take_text(text, SV(":")) &&
	       take_number(text, 2, &date->minute) && take_text(text, SV(":")) &&
	       take_number(text, 2, &date->second);
}

/* "Z", "+01:00": seconds to take off. */
static bool take_offset(struct str_view *text, int64_t *offset)
{
	int hours, minutes;
	bool east = sv_starts(*text, SV("+"));

	*offset = 0;
	if (take_text(text, SV("Z")) || take_text(text, SV("z")))
		return true;
	if (!take_text(text, east ? SV("+") : SV("-")) || !take_number(text, 2, &hours) ||
	    !take_text(text, SV(":")) || !take_number(text, 2, &minutes) || hours > 23 ||
	    minutes > 59)
		return false;
	*offset = (east ? 1 : -1) * (hours * HOUR_SECONDS + minutes * MINUTE_SECONDS);
	return true;
}

/* ".123" or nothing; the digits are dropped. */
static bool take_fraction(struct str_view *text)
{
	if (!take_text(text, SV(".")))
		return true;
	if (text->len == 0 || !ascii_is_digit(text->data[0]))
		return false;
	while (text->len > 0 && ascii_is_digit(text->data[0]))
		*text = sv_skip(*text, 1);
	return true;
}

bool clock_parse_rfc3339(struct str_view text, int64_t *wall)
{
	struct date date = {0};
	int64_t offset, value;

	if (!take_number(&text, 4, &date.year) || !take_text(&text, SV("-")) ||
	    !take_number(&text, 2, &date.month) || !take_text(&text, SV("-")) ||
	    !take_number(&text, 2, &date.day) ||
	    !(take_text(&text, SV("T")) || take_text(&text, SV("t"))) || !take_time(&text, &date) ||
	    !take_fraction(&text) || !take_offset(&text, &offset) || text.len != 0 ||
	    !date_to_wall(&date, &value))
		return false;
	*wall = value - offset;
	return true;
}

/* "06 Nov 1994 08:49:37 GMT" behind "Sun, " */
static bool parse_imf_date(struct str_view text, struct date *date)
{
	return take_number(&text, 2, &date->day) && take_text(&text, SV(" ")) &&
	       take_month(&text, &date->month) && take_text(&text, SV(" ")) &&
	       take_number(&text, 4, &date->year) && take_text(&text, SV(" ")) &&
	       take_time(&text, date) && take_text(&text, SV(" GMT")) && text.len == 0;
}

/* Two digits mean the latest year that is at most 50 years ahead (RFC 9110, section 5.6.7). */
static int whole_year(int two_digits)
{
	int now = date_of(clock_wall()).year;
	int year = now - now % 100 + 100 + two_digits;

	while (year > now + 50)
		year -= 100;
	return year;
}

/* "06-Nov-94 08:49:37 GMT" behind "Sunday, " */
static bool parse_rfc850_date(struct str_view text, struct date *date)
{
	if (!take_number(&text, 2, &date->day) || !take_text(&text, SV("-")) ||
	    !take_month(&text, &date->month) || !take_text(&text, SV("-")) ||
	    !take_number(&text, 2, &date->year) || !take_text(&text, SV(" ")) ||
	    !take_time(&text, date) || !take_text(&text, SV(" GMT")) || text.len != 0)
		return false;
	date->year = whole_year(date->year);
	return true;
}

/* "Nov  6 08:49:37 1994" behind "Sun " */
static bool parse_asctime_date(struct str_view text, struct date *date)
{
	return take_month(&text, &date->month) && take_text(&text, SV(" ")) &&
	       take_number(&text, take_text(&text, SV(" ")) ? 1 : 2, &date->day) &&
	       take_text(&text, SV(" ")) && take_time(&text, date) && take_text(&text, SV(" ")) &&
	       take_number(&text, 4, &date->year) && text.len == 0;
}

bool clock_parse_http_date(struct str_view text, int64_t *wall)
{
	for (size_t i = 0; i < ARRAY_LEN(day_names); i++) {
		struct str_view name = sv_from(day_names[i]);
		struct str_view rest = text;
		struct date date = {0};

		if (take_text(&rest, name))
			return take_text(&rest, SV(", ")) && parse_rfc850_date(rest, &date) &&
			       date_to_wall(&date, wall);
		if (!take_text(&rest, sv_head(name, 3)))
			continue;
		if (take_text(&rest, SV(", ")))
			return parse_imf_date(rest, &date) && date_to_wall(&date, wall);
		return take_text(&rest, SV(" ")) && parse_asctime_date(rest, &date) &&
		       date_to_wall(&date, wall);
	}
	return false;
}

void clock_age(int64_t seconds, char out[CLOCK_TEXT_SIZE])
{
	/* Below so many seconds: this unit, and the rest in the next one unless that is zero. */
	static const struct {
		int64_t below, unit, rest_unit; /* rest_unit 0: the rest is dropped */
		char name, rest_name;
	} rows[] = {
		{120, 1, 0, 's', 0},
		{600, 60, 1, 'm', 's'},
		{3 * HOUR_SECONDS, 60, 0, 'm', 0},
		{8 * HOUR_SECONDS, 3600, 60, 'h', 'm'},
		{48 * HOUR_SECONDS, 3600, 0, 'h', 0},
		{8 * DAY_SECONDS, DAY_SECONDS, 3600, 'd', 'h'},
		{2 * YEAR_SECONDS, DAY_SECONDS, 0, 'd', 0},
		{8 * YEAR_SECONDS, YEAR_SECONDS, DAY_SECONDS, 'y', 'd'},
		{WALL_MAX, YEAR_SECONDS, 0, 'y', 0},
	};
	size_t i = 0;
	int64_t rest;

	seconds = seconds < 0 ? 0 : seconds > WALL_MAX ? WALL_MAX : seconds;
	while (i + 1 < ARRAY_LEN(rows) && seconds >= rows[i].below)
		i++;
	rest = rows[i].rest_unit == 0 ? 0 : seconds % rows[i].unit / rows[i].rest_unit;
	if (rest == 0)
		snprintf(out, CLOCK_TEXT_SIZE, "%lld%c", (long long)(seconds / rows[i].unit),
			 rows[i].name);
	else
		snprintf(out, CLOCK_TEXT_SIZE, "%lld%c%lld%c", (long long)(seconds / rows[i].unit),
			 rows[i].name, (long long)rest, rows[i].rest_name);
}

/* Takes digits; counts those taken. False: too large for 64 bits. */
static bool take_digits(struct str_view *text, uint64_t *value, size_t *count)
{
	size_t n = 0;

	while (n < text->len && ascii_is_digit(text->data[n]))
		n++;
	*count = n;
	*value = 0;
	if (n > 0 && !sv_to_u64(sv_head(*text, n), value))
		return false;
	*text = sv_skip(*text, n);
	return true;
}

static bool take_unit(struct str_view *text, int64_t *nanoseconds)
{
	static const struct {
		struct str_view name;
		int64_t nanoseconds;
	} units[] = {
		{SV_INIT("ms"), 1000000},     {SV_INIT("h"), 3600000000000},
		{SV_INIT("m"), 60000000000},  {SV_INIT("s"), 1000000000},
		{SV_INIT("us"), 1000},        {SV_INIT("\xc2\xb5s"), 1000}, /* micro sign */
		{SV_INIT("\xce\xbcs"), 1000}, /* mu */ {SV_INIT("ns"), 1},
	};

	for (size_t i = 0; i < ARRAY_LEN(units); i++) {
		if (take_text(text, units[i].name)) {
			*nanoseconds = units[i].nanoseconds;
			return true;
		}
	}
	return false;
}

/* One part, "1.5h", added to *sum in nanoseconds. */
static bool take_duration_part(struct str_view *text, int64_t *sum)
{
	uint64_t whole, scale = 1;
	size_t digits, decimals = 0;
	struct str_view fraction;
	int64_t unit, value;

	if (!take_digits(text, &whole, &digits))
		return false;
	fraction = SV_NONE;
	if (take_text(text, SV("."))) {
		fraction = *text;
		while (text->len > 0 && ascii_is_digit(text->data[0])) {
			*text = sv_skip(*text, 1);
			decimals++;
		}
	}
	if (digits + decimals == 0 || whole > INT64_MAX || !take_unit(text, &unit) ||
	    __builtin_mul_overflow((int64_t)whole, unit, &value))
		return false;
	for (size_t i = 0; i < decimals && scale < 1000000000000; i++) {
		scale *= 10;
		if (__builtin_add_overflow(
			    value, (int64_t)(fraction.data[i] - '0') * unit / (int64_t)scale,
			    &value))
			return false;
	}
	return !__builtin_add_overflow(*sum, value, sum);
}

bool clock_parse_duration(struct str_view text, int64_t *ms)
{
	int64_t sum = 0;

	if (sv_eq(text, SV("0"))) {
		*ms = 0;
		return true;
	}
	if (text.len == 0)
		return false;
	while (text.len > 0) {
		if (!take_duration_part(&text, &sum))
			return false;
	}
	*ms = sum / 1000000;
	return true;
}

bool clock_duration_is_gep2257(struct str_view text)
{
	size_t parts = 0;

	for (; text.len > 0; parts++) {
		uint64_t number;
		size_t digits;
		int64_t unit;

		if (!take_digits(&text, &number, &digits) || digits < 1 || digits > 5 ||
		    !take_unit(&text, &unit) || unit < 1000000)
			return false;
	}
	return parts >= 1 && parts <= 4;
}
