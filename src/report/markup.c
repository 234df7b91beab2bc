#include "report/markup.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* Short cells stay on one line; a table that is then too wide scrolls. */
enum { SHORT_CELL = 30 };

void rf_markup_table(struct rf_text *page, const char *caption, const char *align,
                     const char *const *headings)
{
    rf_text_add(page, "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"");
    rf_text_add_html(page, caption);
    rf_text_add(page, "\"><table><caption><span>");
    rf_text_add_html(page, caption);
    rf_text_add(page, "</span></caption>\n<thead><tr>");
    for (size_t c = 0; align[c] != '\0'; c++) {
        rf_text_add(page, align[c] == 'r'                     ? "<th scope=\"col\" class=\"n\">"
                          : strlen(headings[c]) <= SHORT_CELL ? "<th scope=\"col\" class=\"s\">"
                                                              : "<th scope=\"col\">");
        rf_text_add_html(page, headings[c]);
        rf_text_add(page, "</th>");
    }
    rf_text_add(page, "</tr></thead>\n<tbody>");
}

void rf_markup_row(struct rf_text *page)
{
    rf_text_add(page, "\n<tr>"); /* HTML closes the row before */
}

static void open_cell(struct rf_text *page, const char *class)
{
    static const char row[] = "<tr>";
    size_t n = sizeof row - 1;
    int first = page->size >= n && memcmp(page->data + page->size - n, row, n) == 0;

    rf_text_add(page, first ? "<th scope=\"row\"" : "<td");
    rf_text_add(page, class);
}

void rf_markup_open(struct rf_text *page, int number)
{
    open_cell(page, number ? " class=\"n\">" : ">");
}

void rf_markup_cell(struct rf_text *page, const char *text)
{
    open_cell(page, strlen(text) <= SHORT_CELL ? " class=\"s\">" : ">");
    rf_text_add_html(page, text[0] != '\0' ? text : "-");
}

void rf_markup_verdict(struct rf_text *page, const char *verdict)
{
    const char *look = strcmp(verdict, "kept") == 0     ? "good"
                       : strcmp(verdict, "broken") == 0 ? "bad"
                                                        : "open";

    rf_markup_open(page, 0);
    rf_text_addf(page, "<span class=\"%s\">", look);
    rf_text_add_html(page, verdict[0] != '\0' ? verdict : "-");
    rf_text_add(page, "</span>");
}

void rf_markup_number(struct rf_text *page, double x, int digits, const char *suffix)
{
    rf_markup_open(page, 1);
    if (!isfinite(x)) {
        rf_text_add(page, "-");
        return;
    }
    if (fabs(x) >= 1e15)
        rf_text_addf(page, "%.3e", x);
    else
        rf_text_addf(page, "%.*f", digits, x);
    rf_text_add_html(page, suffix);
}

void rf_markup_end(struct rf_text *page)
{
    rf_text_add(page, "\n</tbody></table></div>\n");
}

void rf_markup_figure(struct rf_text *page, const char *svg, const char *caption)
{
    const char *numbers;

    if (svg == NULL)
        return;
    numbers = strstr(svg, "<details");
    rf_text_add(page, "<figure>");
    rf_text_add_bytes(page, svg, numbers != NULL ? (size_t)(numbers - svg) : strlen(svg));
    rf_text_add(page, "<figcaption>");
    rf_text_add_html(page, caption);
    rf_text_add(page, "</figcaption>\n");
    rf_text_add(page, numbers != NULL ? numbers : "");
    rf_text_add(page, "</figure>\n");
}
