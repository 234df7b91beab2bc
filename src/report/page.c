#include "report/page.h"

#include <math.h>
#include <string.h>

#include "report/json.h"

static const char STYLE[] =
    "<style>\n"
    ":root{color-scheme:light dark;--ink:#1c2024;--soft:#5b6470;--line:#d9dde2;--paper:#fff;"
    "--card:#f5f6f8;--good:#1d7a46;--bad:#c02a3e;--open:#7a6000;--link:#1a5fb4}\n"
    "@media(prefers-color-scheme:dark){:root{--ink:#e4e7eb;--soft:#9aa4b0;--line:#363c44;"
    "--paper:#14171a;--card:#1d2125;--good:#5fc98c;--bad:#f07a89;--open:#e0bf4f;--link:#82b4f0}"
    "}\n"
    "*{box-sizing:border-box}\n"
    "body{margin:0;background:var(--paper);color:var(--ink);font:1rem/1.5 "
    "system-ui,sans-serif}\n"
    "main,footer,nav,.skip{max-width:66rem;margin:0 auto;padding:0 1rem}\n"
    "a{color:var(--link)}:focus-visible{outline:3px solid var(--link);outline-offset:2px}\n"
    ".skip{position:absolute;left:-99rem;padding:.6rem 1rem;background:var(--paper)}"
    ".skip:focus{left:0;z-index:1}\n"
    "nav ul{display:flex;flex-wrap:wrap;gap:.2rem 1.2rem;margin:.6rem "
    "0;padding:0;list-style:none}"
    "nav a{display:inline-block;padding:.3rem 0}\n"
    "h1{font-size:1.6rem;line-height:1.2;margin:.8rem 0 .3rem;overflow-wrap:anywhere}\n"
    "h2{font-size:1.2rem;margin:2.2rem 0 .4rem;padding-top:.8rem;border-top:1px solid "
    "var(--line)}\n"
    "h3{font-size:1rem;margin:1.6rem 0 .3rem}\n"
    "p{margin:.5rem 0;max-width:46rem}\n"
    "figure{margin:1rem 0}\n"
    "figure svg{display:block;width:100%;max-width:36rem;height:auto;font-family:inherit}\n"
    "figcaption,caption{color:var(--soft);font-size:.875rem;text-align:left}\n"
    "figcaption{max-width:36rem;overflow-wrap:anywhere}\n"
    ".scroll{overflow-x:auto;margin:1rem 0}\n"
    "table{border-collapse:collapse;font-size:.875rem;min-width:50%}\n"
    "caption{padding-bottom:.3rem}\n"
    "caption span{display:inline-block;max-width:min(46rem,calc(100vw - 2rem))}\n"
    "th,td{padding:.25rem .6rem .25rem 0;text-align:left;vertical-align:top;"
    "border-bottom:1px solid var(--line)}\n"
    "thead th{font-weight:600;color:var(--soft);vertical-align:bottom}"
    "tbody th{font-weight:inherit}\n"
    ".s{white-space:nowrap}.n{text-align:right;font-variant-numeric:tabular-nums;white-space:"
    "nowrap}\n"
    ".facts{display:flex;flex-wrap:wrap;gap:.6rem;margin:1rem 0;padding:0;list-style:none}\n"
    ".facts li{background:var(--card);border-radius:.5rem;padding:.5rem .8rem}\n"
    ".facts li{min-width:0}.facts b{display:block;font-size:1.15rem;"
    "overflow-wrap:anywhere}\n"
    ".facts span{color:var(--soft);font-size:.875rem}\n"
    ".good{color:var(--good)}.bad{color:var(--bad)}.open{color:var(--open)}\n"
    "td .good,td .bad,td .open{white-space:nowrap}\n"
    ".notice{border-left:4px solid var(--bad);background:var(--card);padding:.5rem .8rem}\n"
    "details{margin:.6rem 0}summary{color:var(--soft);font-size:.875rem;cursor:pointer;"
    "padding:.3rem 0}\n"
    "pre{background:var(--card);padding:.6rem .8rem;border-radius:.5rem;overflow-x:auto}\n"
    "dl{display:grid;grid-template-columns:max-content 1fr;gap:.2rem 1rem;margin:.8rem 0}\n"
    "dt{color:var(--soft)}dd{margin:0;overflow-wrap:anywhere}\n"
    "footer{color:var(--soft);font-size:.875rem;margin:2.5rem auto 1rem}\n"
    "@media print{:root{color-scheme:light;--ink:#1c2024;--soft:#4a525c;--line:#d9dde2;"
    "--paper:#fff;--card:#f5f6f8;--good:#1d7a46;--bad:#c02a3e;--open:#7a6000}\n"
    "html{font-size:72%}.data{display:none}.scroll{overflow:visible}nav,.skip{display:none}"
    "figure,tr{break-inside:avoid}h2,h3{break-after:avoid}}\n"
    "</style>\n";

/* Where the list of sections goes, once they are all there. */
#define CONTENTS "<!--contents-->\n"
static const char section_mark[] = "<h2>";

void rf_page_head(struct rf_text *page, const char *run)
{
    rf_text_add(page,
                "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
                "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n"
                "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
                "style-src 'unsafe-inline'\">\n<title>");
    rf_text_add_html(page, run);
    rf_text_add(page, " - ringfence report</title>\n");
    rf_text_add(page, STYLE);
    rf_text_add(page, "</head>\n<body><a class=\"skip\" href=\"#content\">Skip to the "
                      "content</a>\n" CONTENTS "<main id=\"content\" tabindex=\"-1\">\n");
}

/* The list of sections: their headings, each a link to it. */
static void add_contents(struct rf_text *done, const char *body)
{
    int n = 0;

    rf_text_add(done, "<nav aria-label=\"Sections\"><ul>\n");
    for (const char *at = body; (at = strstr(at, section_mark)) != NULL;) {
        at += sizeof section_mark - 1;
        rf_text_addf(done, "<li><a href=\"#s%d\">", ++n);
        rf_text_add_bytes(done, at, strcspn(at, "<"));
        rf_text_add(done, "</a></li>\n");
    }
    rf_text_add(done, "</ul></nav>\n");
}

/* Puts the list in, and gives the headings the names that it links to. */
static void list_sections(struct rf_text *page)
{
    const char *place = page->failed ? NULL : strstr(page->data, CONTENTS);
    struct rf_text done = {0};
    const char *at, *next;
    int n = 0;

    if (place == NULL)
        return;
    rf_text_add_bytes(&done, page->data, (size_t)(place - page->data));
    at = place + sizeof CONTENTS - 1;
    add_contents(&done, at);
    for (; (next = strstr(at, section_mark)) != NULL; at = next + sizeof section_mark - 1) {
        rf_text_add_bytes(&done, at, (size_t)(next - at));
        rf_text_addf(&done, "<h2 id=\"s%d\">", ++n);
    }
    rf_text_add(&done, at);
    rf_text_clear(page);
    *page = done;
}

void rf_page_foot(struct rf_text *page, const char *version, const char *files, int plots)
{
    const char *figures = page->data != NULL ? strstr(page->data, "<figure>") : NULL;

    if (figures != NULL && strstr(figures, "<svg") == NULL)
        plots = 0;
    list_sections(page);
    rf_text_add(page, "</main>\n<footer><p>Made by ringfence ");
    rf_text_add_html(page, version);
    rf_text_add(page, " from ");
    rf_text_add_html(page, files);
    rf_text_add(page, ". This page loads nothing from a network and runs no script.");
    if (!plots)
        rf_text_add(page, " Plots were left out because gnuplot could not be run: there are "
                          "their numbers, and after installing it `ringfence report` adds "
                          "them.");
    rf_text_add(page, "</p></footer>\n</body></html>\n");
}

const char *rf_page_worst_verdict(const json_t *pledges)
{
    const char *worst = "";

    for (size_t i = 0; i < json_array_size(pledges); i++) {
        const char *verdict = rf_json_text(json_array_get(pledges, i), "verdict");

        if (strcmp(verdict, "broken") == 0 || worst[0] == '\0' || strcmp(worst, "kept") == 0)
            worst = verdict;
    }
    return worst;
}

void rf_page_verdict(struct rf_text *page, const char *verdict)
{
    const char *look = strcmp(verdict, "kept") == 0     ? "good"
                       : strcmp(verdict, "broken") == 0 ? "bad"
                                                        : "open";

    if (verdict[0] == '\0')
        return;
    rf_text_addf(page, "<li><b class=\"%s\">", look);
    rf_text_add_html(page, verdict);
    rf_text_add(page, "</b><span>pledge</span></li>\n");
}

void rf_page_fact(struct rf_text *page, double value, int digits, const char *suffix,
                  const char *what)
{
    if (isfinite(value))
        rf_text_addf(page, "<li><b>%.*f%s</b><span>%s</span></li>\n", digits, value, suffix,
                     what);
}

void rf_page_text_fact(struct rf_text *page, const char *text, const char *what)
{
    rf_text_add(page, "<li><b>");
    rf_text_add_html(page, text);
    rf_text_addf(page, "</b><span>%s</span></li>\n", what);
}
