#include "report/export.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

enum { SLUG_BYTES = 64 };

/* ---- finding figures ---- */

/* What lies between two marks, from `at` on; NULL when they are not there. *end: behind it. */
static const char *between(const char *at, const char *from, const char *upto, size_t *size,
                           const char **end)
{
    const char *begin = at != NULL ? strstr(at, from) : NULL, *stop;

    if (begin == NULL)
        return NULL;
    begin += strlen(from);
    stop = strstr(begin, upto);
    if (stop == NULL)
        return NULL;
    *size = (size_t)(stop - begin);
    *end = stop + strlen(upto);
    return begin;
}

static void add_slug(char slug[SLUG_BYTES], const char *label, size_t size)
{
    size_t n = 0;

    for (size_t i = 0; i < size && n + 1 < SLUG_BYTES; i++) {
        if (isalnum((unsigned char)label[i]))
            slug[n++] = (char)tolower((unsigned char)label[i]);
        else if (label[i] == '&') /* an entity is one character, and none that a name has */
            i += strcspn(label + i, ";");
        else if (n > 0 && slug[n - 1] != '-')
            slug[n++] = '-';
    }
    while (n > 0 && slug[n - 1] == '-')
        n--;
    slug[n] = '\0';
}

/* ---- the parts ---- */

static const char COLOURS[] =
    "\n<style>svg{color:#1c2024;background:#fff;font-family:sans-serif}"
    "@media(prefers-color-scheme:dark){svg{color:#e4e7eb;background:#14171a}}</style>";

static void add_svg(struct rf_text *file, const char *svg, size_t size)
{
    size_t head = strcspn(svg, ">") + 1;

    rf_text_add(file, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
                      "<svg xmlns=\"http://www.w3.org/2000/svg\"");
    rf_text_add_bytes(file, svg, head);
    rf_text_add(file, COLOURS);
    rf_text_add_bytes(file, svg + head, size - head);
    rf_text_add(file, "</svg>\n");
}

/* The opposite of rf_text_add_html(). */
static void add_plain(struct rf_text *file, const char *html, size_t size)
{
    static const struct {
        const char *entity, *plain;
    } entities[] = {
        {"&amp;", "&"}, {"&lt;", "<"}, {"&gt;", ">"}, {"&quot;", "\""}, {"&#39;", "'"}};

    for (size_t i = 0; i < size;) {
        size_t step = 1, known = sizeof entities / sizeof *entities;

        for (size_t e = 0; html[i] == '&' && e < sizeof entities / sizeof *entities; e++)
            if (strncmp(html + i, entities[e].entity, strlen(entities[e].entity)) == 0)
                known = e;
        if (known < sizeof entities / sizeof *entities) {
            rf_text_add(file, entities[known].plain);
            step = strlen(entities[known].entity);
        } else {
            rf_text_add_bytes(file, html + i, 1);
        }
        i += step;
    }
}

static void make_file(struct rf_text *file, enum rf_export_kind kind, const char *part,
                      size_t size)
{
    size_t head = strcspn(part, ">") + 1;

    if (kind == RF_EXPORT_SVG)
        add_svg(file, part, size);
    else
        add_plain(file, part + head, size - head);
}

static enum rf_status write_part(enum rf_export_kind kind, const char *dir, int number,
                                 const char *part, size_t size, char path[RF_PATH_BYTES],
                                 struct rf_error *err)
{
    static const char *const labels[] = {"aria-label=\"", "data-label=\""};
    size_t length = 0;
    const char *end, *label = between(part, labels[kind], "\"", &length, &end);
    char slug[SLUG_BYTES], name[SLUG_BYTES + 16];
    struct rf_text file = {0};
    enum rf_status st;

    add_slug(slug, label != NULL ? label : "", length);
    snprintf(name, sizeof name, "%02d-%s.%s", number, slug,
             kind == RF_EXPORT_SVG ? "svg" : "csv");
    st = rf_file_join(path, dir, name, err);
    make_file(&file, kind, part, size);
    if (st == RF_OK && (file.failed || file.data == NULL))
        st = rf_fail(err, RF_ERR_MEMORY, "out of memory for '%s'", path);
    if (st == RF_OK)
        st = rf_file_write(path, file.data, file.size, err);
    rf_text_clear(&file);
    return st;
}

enum rf_status rf_export_figures(const char *page, enum rf_export_kind kind, const char *dir,
                                 void (*tell)(void *ctx, const char *path), void *ctx, int *n,
                                 struct rf_error *err)
{
    static const char *const begins[] = {"<svg", "<template"}, *const ends[] = {"</svg>",
                                                                                "</template>"};
    char path[RF_PATH_BYTES];
    size_t size;
    const char *part;
    enum rf_status st = rf_file_mkdir(dir, err);

    *n = 0;
    while (st == RF_OK &&
           (part = between(page, begins[kind], ends[kind], &size, &page)) != NULL) {
        st = write_part(kind, dir, ++*n, part, size, path, err);
        if (st == RF_OK)
            tell(ctx, path);
    }
    return st;
}
