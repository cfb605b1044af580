/*
 * terminal.h: what the terminal can show: width, colour, and text in columns.
 */
#ifndef VECTRAIL_CLI_TERMINAL_H
#define VECTRAIL_CLI_TERMINAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "vectrail/status.h"

enum color_choice { COLOR_AUTO, COLOR_ALWAYS, COLOR_NEVER };

/* Decides once, before anything is printed. Auto: colour on a terminal, unless NO_COLOR is set and not empty or TERM
 * is "dumb". */
void terminal_choose_color(enum color_choice choice);

enum terminal_style { STYLE_PLAIN, STYLE_BOLD, STYLE_DIM, STYLE_ACCENT };
/* The escape sequence that begins a style on this stream, or "" where it has no colour. STYLE_PLAIN ends one. */
const char *terminal_style(FILE *stream, enum terminal_style style);

/* Whether stderr can redraw a line: a terminal whose TERM is not "dumb". */
bool terminal_can_redraw(void);
/* Columns of the terminal at stderr, or 80. Asked anew each time: windows are resized. */
int terminal_columns(void);
/* Whether the locale's character set is UTF-8, so that block characters can be shown. */
bool terminal_is_utf8(void);

/* Columns that UTF-8 text takes: 0 for combining marks, 2 for wide East Asian characters. */
int display_width(const char *text);
/* Prints UTF-8 text; control characters come out as '?', bytes that are not UTF-8 as U+FFFD. */
void print_clean(FILE *stream, const char *text);
void print_clean_bytes(FILE *stream, const char *text, size_t bytes);
/* Prints clean text with spaces behind it (or before, where right) up to a width in columns. */
void print_cell(FILE *stream, const char *text, int width, bool right);

/* The values as a line of block characters (of ASCII where the locale is not UTF-8), lowest to highest; averaged in
 * groups where there are more than columns of them. NaN is left blank. */
void print_sparkline(FILE *stream, const double *values, size_t count, size_t columns);

#define NUMBER_TEXT_BYTES 48
/* 1234567 as "1,234,567". */
const char *format_count(uint64_t value, char text[NUMBER_TEXT_BYTES]);
/* 1234567 as "1.23 M", for speeds. */
const char *format_rate(double value, char text[NUMBER_TEXT_BYTES]);
/* Seconds as "4.2 s", "3:07" or "2:03:07". */
const char *format_seconds(double seconds, char text[NUMBER_TEXT_BYTES]);

/* An argument as one would type it into a POSIX shell, quoted where it has to be. */
void print_shell_word(FILE *stream, const char *text);

#endif
