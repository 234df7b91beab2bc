#include "cli/manual.h"

#include <ctype.h>
#include <string.h>

enum { LINE_WIDTH = 78 };

/* Characters that mean something to roff, or that it would draw as others. */
static void put_char(FILE *to, char c)
{
    switch (c) {
    case '\\':
        fputs("\\e", to);
        break;
    case '\'':
        fputs("\\(aq", to);
        break;
    case '~':
        fputs("\\(ti", to);
        break;
    case '^':
        fputs("\\(ha", to);
        break;
    case '-':
        fputs("\\-", to);
        break;
    default:
        fputc(c, to);
    }
}

/* A word; only options get the hyphen that can be typed. A dot in front would be a macro. */
static void put_word(FILE *to, const char *word, int length)
{
    int typed =
        word[0] == '-' || (length > 1 && ispunct((unsigned char)word[0]) && word[1] == '-');

    if (word[0] == '.')
        fputs("\\&", to);
    for (int i = 0; i < length; i++)
        if (word[i] == '-' && !typed)
            fputc('-', to);
        else
            put_char(to, word[i]);
}

static void put_all(FILE *to, const char *text, int length)
{
    for (int i = 0; i < length; i++)
        put_char(to, text[i]);
}

static int ends_sentence(const char *word, int length)
{
    while (length > 1 && (word[length - 1] == ')' || word[length - 1] == '\''))
        length--;
    return word[length - 1] == '.' || word[length - 1] == ':';
}

/* A paragraph: words up to `length` bytes of text, a line to a sentence as man pages have it. */
static void put_text(FILE *to, const char *text, size_t length)
{
    const char *end = text + length;
    int at = 0, fresh = 1;

    while (text < end) {
        int word = (int)strcspn(text, " \n");

        if (word > end - text)
            word = (int)(end - text);
        if (word > 0) {
            if (!fresh && at + 1 + word > LINE_WIDTH)
                fresh = 1, fputc('\n', to);
            if (!fresh)
                fputc(' ', to);
            at = fresh ? word : at + 1 + word;
            put_word(to, text, word);
            fresh = ends_sentence(text, word);
            if (fresh)
                fputc('\n', to);
        }
        text += word;
        text += text < end;
    }
    if (!fresh)
        fputc('\n', to);
}

/* Lines as they are. */
static void put_lines(FILE *to, const char *text, size_t length)
{
    const char *end = text + length;

    fputs(".EX\n", to);
    while (text < end) {
        size_t n = strcspn(text, "\n");

        put_all(to, text, (int)n);
        fputc('\n', to);
        text += n + 1;
    }
    fputs(".EE\n", to);
}

/* Text that the help prints as it is: lines that begin with a blank are an example, the others
 * paragraphs. */
static void put_more(FILE *to, const char *text)
{
    int first = 1;

    while (*text != '\0') {
        const char *end = text;
        int example = *text == ' ';

        while (*end != '\0' && *end != '\n' && (*end == ' ') == example)
            end += strcspn(end, "\n"), end += *end == '\n';
        if (end > text) {
            if (!first)
                fputs(".PP\n", to);
            if (example)
                put_lines(to, text, (size_t)(end - text));
            else
                put_text(to, text, (size_t)(end - text));
            first = 0;
        }
        text = end + (*end == '\n');
    }
}

static void put_upper(FILE *to, const char *text)
{
    for (; *text != '\0'; text++)
        put_char(to, (char)toupper((unsigned char)*text));
}

static void put_head(FILE *to, const char *name, const char *summary)
{
    fputs(
        ".\\\" Written by 'ringfence help --write'; the source is the table of options.\n.TH ",
        to);
    put_upper(to, name);
    fprintf(to, " 1 %s \"ringfence %s\" \"ringfence manual\"\n.SH NAME\n", RF_DATE, RF_VERSION);
    put_all(to, name, (int)strlen(name));
    fputs(" \\- ", to);
    put_word(to, summary, (int)strlen(summary));
    fputc('\n', to);
}

static void put_option(FILE *to, char letter, const char *name, const char *value,
                       const char *help)
{
    fputs(".TP\n", to);
    if (letter != 0)
        fprintf(to, "\\fB\\-%c\\fR, ", letter);
    fputs("\\fB\\-\\-", to);
    put_all(to, name, (int)strlen(name));
    fputs("\\fR", to);
    if (value != NULL) {
        fputs("=\\fI", to);
        put_all(to, value, (int)strlen(value));
        fputs("\\fR", to);
    }
    fputc('\n', to);
    put_text(to, help, strlen(help));
}

static void put_synopsis(FILE *to, const char *usage)
{
    fputs(".SH SYNOPSIS\n", to);
    while (*usage != '\0') {
        int length = (int)strcspn(usage, "\n"), word = (int)strcspn(usage, " \n");

        fputs("\\fBringfence ", to);
        put_all(to, usage, word);
        fputs("\\fR", to);
        put_all(to, usage + word, length - word);
        fputc('\n', to);
        usage += length;
        if (*usage == '\n') {
            fputs(".br\n", to);
            usage++;
        }
    }
}

void rf_manual_command(FILE *to, const struct rf_command *command,
                       const struct rf_command_line *line)
{
    char name[64];

    snprintf(name, sizeof name, "ringfence-%s", command->name);
    put_head(to, name, command->summary);
    put_synopsis(to, line->usage);
    fputs(".SH DESCRIPTION\n", to);
    put_text(to, line->about, strlen(line->about));
    if (line->topics != NULL) {
        fputs(".SH ", to);
        put_upper(to, line->heading);
        fputc('\n', to);
        for (const struct rf_topic *topic = line->topics; topic->name != NULL; topic++) {
            fputs(".TP\n\\fB", to);
            put_all(to, topic->name, (int)strlen(topic->name));
            fputs("\\fR\n", to);
            put_text(to, topic->help, strlen(topic->help));
        }
    }
    fputs(".SH OPTIONS\n", to);
    for (const struct rf_option *o = line->options; o != NULL && o->name != NULL; o++)
        put_option(to, o->letter, o->name, o->value, o->help);
    put_option(to, 'h', "help", NULL, "print the help");
    if (line->more != NULL) {
        fputs(".SH NOTES\n", to);
        put_more(to, line->more);
    }
    fputs(".SH EXIT STATUS\nThe same for every command; see\n.BR ringfence (1).\n"
          ".SH SEE ALSO\n.BR ringfence (1),\n.BR ringfence.cfg (5),\n.BR ringfence\\-ledger "
          "(5)\n",
          to);
}

static void put_codes(FILE *to)
{
    static const struct {
        const char *code, *meaning;
    } codes[] = {
        {"0", "done"},
        {"1",
         "done, and the answer is no: a pledge broken or unprovable, a verification failed"},
        {"2",
         "wrong arguments, configuration or input file; the message names file, line and key"},
        {"3", "files, memory or a peer failed"},
        {"4", "a defect of ringfence"},
        {"85", "checkpointed after a signal: run me again with --resume"},
    };

    fputs(".SH EXIT STATUS\n", to);
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        fprintf(to, ".TP 4\n%s\n", codes[i].code);
        put_text(to, codes[i].meaning, strlen(codes[i].meaning));
    }
}

/* Pairs of a name and what it is. */
static void put_list(FILE *to, const char *heading, const char *const *pairs)
{
    fprintf(to, ".SH %s\n", heading);
    for (; pairs[0] != NULL; pairs += 2) {
        fputs(".TP\n\\fI", to);
        put_all(to, pairs[0], (int)strlen(pairs[0]));
        fputs("\\fR\n", to);
        put_text(to, pairs[1], strlen(pairs[1]));
    }
}

void rf_manual_program(FILE *to, const struct rf_command *const *commands)
{
    static const char *const files[] = {
        "~/.config/ringfence/seal.key",
        "the secret key that seals ledgers where a configuration names none; made on first "
        "use, "
        "the public key beside it as seal.key.pub. $XDG_CONFIG_HOME is honoured.",
        "runs/NAME/, checkpoints/NAME/", "what a run leaves, where the program was started",
        NULL};
    static const char *const environment[] = {
        "OMP_NUM_THREADS, OPENBLAS_NUM_THREADS",
        "threads per rank; 1 where they are not set, since ranks are the parallelism here",
        "SLURM_JOB_ID", "the job whose comment is set by 'ledger anchor --slurm'", NULL};
    static const char about[] =
        "ringfence keeps one promise: a fixed share of compute goes to alignment work. It "
        "simulates the promise, keeps it on the devices of a live MPI allocation while "
        "transformers train on them, and proves it by a signed ledger that a stranger can "
        "check.";

    put_head(to, "ringfence",
             "keeps a fixed share of compute for alignment work, and proves it");
    put_synopsis(to, "[-q|-v] COMMAND [ARGUMENT]...\nhelp [COMMAND]");
    fputs(".SH DESCRIPTION\n", to);
    put_text(to, about, sizeof about - 1);
    fputs(".SH COMMANDS\nEach has a page of its own.\n", to);
    for (; *commands != NULL; commands++) {
        fputs(".TP\n.BR ringfence\\-", to);
        put_all(to, (*commands)->name, (int)strlen((*commands)->name));
        fputs(" (1)\n", to);
        put_text(to, (*commands)->summary, strlen((*commands)->summary));
    }
    fputs(".SH OPTIONS\n", to);
    put_option(to, 'q', "quiet", NULL, "warnings and notes are not printed, errors are");
    put_option(to, 'v', "verbose", NULL, "more notes on stderr");
    put_option(to, 'h', "help", NULL, "print the commands");
    put_option(to, 0, "version", NULL, "print the version, and what it was built with");
    put_codes(to);
    put_list(to, "ENVIRONMENT", environment);
    put_list(to, "FILES", files);
    fputs(".SH SEE ALSO\n.BR ringfence.cfg (5),\n.BR ringfence\\-ledger (5),\n"
          ".BR ringfence\\-checkpoint (5),\n.BR mpirun (1),\n.BR sbatch (1)\n",
          to);
}
