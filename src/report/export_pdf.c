/* A page on paper. Chromium prints it as it stands, tables and all; where there is none,
 * rsvg-convert still makes a document of its figures. */
#include "report/export.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/child.h"

enum { LIMIT_S = 120, MOST_FIGURES = 200 };

static const char *browser(void)
{
    static const char *const names[] = {"chromium", "chromium-browser", "google-chrome",
                                        "google-chrome-stable"};

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (rf_child_exists(names[i]))
            return names[i];
    return NULL;
}

/* What is folded away on a screen lies open on paper, but for the numbers of figures. */
static void add_unfolded(struct rf_text *paper, const char *page)
{
    static const char folded[] = "<details>";
    const char *next;

    for (; (next = strstr(page, folded)) != NULL; page = next + sizeof folded - 1) {
        rf_text_add_bytes(paper, page, (size_t)(next - page));
        rf_text_add(paper, "<details open>");
    }
    rf_text_add(paper, page);
}

static enum rf_status write_paper(const char *page, const char *path, struct rf_error *err)
{
    struct rf_text paper = {0};
    enum rf_status st;

    add_unfolded(&paper, page);
    st = paper.failed ? rf_fail(err, RF_ERR_MEMORY, "out of memory for '%s'", path)
                      : rf_file_write(path, paper.data, paper.size, err);
    rf_text_clear(&paper);
    return st;
}

/* A private folder for the browser, which else writes into its user's home. */
struct scratch {
    char dir[RF_PATH_BYTES], page[RF_PATH_BYTES], pdf[RF_PATH_BYTES];
};

static enum rf_status open_scratch(struct scratch *scratch, struct rf_error *err)
{
    const char *tmp = getenv("TMPDIR");
    enum rf_status st = rf_file_join(scratch->dir, tmp != NULL && *tmp == '/' ? tmp : "/tmp",
                                     "ringfence-pdf.XXXXXX", err);

    if (st == RF_OK && mkdtemp(scratch->dir) == NULL)
        st = rf_fail(err, RF_ERR_IO, "cannot make the temporary folder '%s'", scratch->dir);
    if (st == RF_OK)
        st = rf_file_join(scratch->page, scratch->dir, "page.html", err);
    return st == RF_OK ? rf_file_join(scratch->pdf, scratch->dir, "page.pdf", err) : st;
}

static void close_scratch(const struct scratch *scratch)
{
    struct rf_error ignored;

    (void)rf_file_remove_tree(scratch->dir, &ignored);
}

static int print_page(const struct scratch *scratch, const char *program)
{
    char name[64], profile[RF_PATH_BYTES + 32], to[RF_PATH_BYTES + 32], url[RF_PATH_BYTES + 16];
    char headless[] = "--headless", plain[] = "--no-pdf-header-footer", gpu[] = "--disable-gpu",
         shm[] = "--disable-dev-shm-usage", sandbox[] = "--no-sandbox";
    /* root is not let into the sandbox; the page is our own and runs no script */
    char *argv[] = {
        name, headless, plain, gpu, shm, profile, to, url, geteuid() == 0 ? sandbox : NULL,
        NULL};

    snprintf(name, sizeof name, "%s", program);
    snprintf(profile, sizeof profile, "--user-data-dir=%s/profile", scratch->dir);
    snprintf(to, sizeof to, "--print-to-pdf=%s", scratch->pdf);
    snprintf(url, sizeof url, "file://%s", scratch->page);
    return rf_child_run(argv, -1, -1, LIMIT_S);
}

/* Into its place, completely or not at all; it may be on another file system. */
static enum rf_status deliver(const char *from, const char *path, struct rf_error *err)
{
    char *data = NULL;
    size_t size = 0;
    enum rf_status st = rf_file_read(from, (size_t)1 << 30, &data, &size, err);

    if (st == RF_OK && (size < 4 || memcmp(data, "%PDF", 4) != 0))
        st = rf_fail(err, RF_ERR_IO, "what was made for '%s' is no PDF", path);
    if (st == RF_OK)
        st = rf_file_write(path, data, size, err);
    free(data);
    return st;
}

struct figures {
    char *paths[MOST_FIGURES]; /* owned */
    int n, failed;
};

static void keep(void *ctx, const char *path)
{
    struct figures *figures = ctx;
    size_t size = strlen(path) + 1;
    char *copy = figures->n < MOST_FIGURES ? malloc(size) : NULL;

    figures->failed |= copy == NULL;
    if (copy != NULL)
        figures->paths[figures->n++] = memcpy(copy, path, size);
}

static enum rf_status convert(const struct scratch *scratch, struct figures *figures,
                              struct rf_error *err)
{
    char name[] = "rsvg-convert", format[] = "--format=pdf", out[] = "--output",
         pdf[RF_PATH_BYTES];
    char *argv[MOST_FIGURES + 5] = {name, format, out, pdf};

    if (figures->n == 0 || figures->failed)
        return rf_fail(err, RF_ERR_IO,
                       "there are no figures for a PDF (is gnuplot installed?), and no "
                       "Chromium for the whole page");
    memcpy(pdf, scratch->pdf, sizeof pdf);
    memcpy(argv + 4, figures->paths, (size_t)figures->n * sizeof *argv);
    argv[4 + figures->n] = NULL;
    if (rf_child_run(argv, -1, -1, LIMIT_S) != 0)
        return rf_fail(err, RF_ERR_IO,
                       "a PDF needs Chromium (package chromium), or for the figures alone "
                       "rsvg-convert (package librsvg2-bin); neither could be run");
    return RF_OK;
}

static enum rf_status print_figures(const char *page, const struct scratch *scratch,
                                    struct rf_error *err)
{
    struct figures figures = {.n = 0};
    int n;
    enum rf_status st =
        rf_export_figures(page, RF_EXPORT_SVG, scratch->dir, keep, &figures, &n, err);

    if (st == RF_OK)
        st = convert(scratch, &figures, err);
    for (int i = 0; i < figures.n; i++)
        free(figures.paths[i]);
    return st;
}

enum rf_status rf_export_pdf(const char *page, const char *path, int *whole,
                             struct rf_error *err)
{
    const char *program = browser();
    struct scratch scratch;
    enum rf_status st = open_scratch(&scratch, err);

    *whole = 0;
    if (st != RF_OK)
        return st;
    if (program != NULL)
        st = write_paper(page, scratch.page, err);
    *whole = st == RF_OK && program != NULL && print_page(&scratch, program) == 0 &&
             rf_file_exists(scratch.pdf);
    if (st == RF_OK && !*whole)
        st = print_figures(page, &scratch, err);
    if (st == RF_OK)
        st = deliver(scratch.pdf, path, err);
    close_scratch(&scratch);
    return st;
}
