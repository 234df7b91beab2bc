/* A case per command says what may come; the code around it is the same for all, and the
 * value of an option is a file, a folder, one of a few words, or nobody's guess. */
#include "cli/completion.h"

#include <ctype.h>
#include <string.h>

static int wants_directory(const char *value)
{
    return strstr(value, "DIR") != NULL;
}

static int wants_file(const char *value)
{
    return strstr(value, "FILE") != NULL || strstr(value, "LEDGER") != NULL;
}

/* The first argument where it is a word of the command's: its topics, and what stands first in a form of
 * its usage. */
static void each_verb(const struct rf_command_line *line,
                      void (*take)(FILE *to, const char *word, int length, const char *help),
                      FILE *to)
{
    const char *usage = line->usage;

    for (const struct rf_topic *t = line->topics; t != NULL && t->name != NULL; t++)
        take(to, t->name, (int)strcspn(t->name, " "), t->help);
    for (; *usage != '\0'; usage += *usage == '\n') {
        const char *word = usage + strcspn(usage, " \n");

        word += *word == ' ';
        if (islower((unsigned char)*word) && usage != word)
            take(to, word, (int)strcspn(word, " \n"), "");
        usage += strcspn(usage, "\n");
    }
}

/* ---- bash */

static void bash_verb(FILE *to, const char *word, int length, const char *help)
{
    (void)help;
    fprintf(to, " %.*s", length, word);
}

static void bash_value(FILE *to, const struct rf_option *o)
{
    fprintf(to, "            --%s", o->name);
    if (o->letter != 0)
        fprintf(to, " | -%c", o->letter);
    if (o->choices != NULL)
        fprintf(to, ") kind=words words='%s' ;;\n", o->choices);
    else if (wants_directory(o->value))
        fprintf(to, ") kind=directory ;;\n");
    else
        fprintf(to, ") kind=%s ;;\n", wants_file(o->value) ? "file" : "any");
}

static void bash_command(FILE *to, const struct rf_command *command,
                         const struct rf_command_line *line)
{
    fprintf(to, "    %s)\n        verbs='", command->name);
    each_verb(line, bash_verb, to);
    fprintf(to, "'\n        options='--help");
    for (const struct rf_option *o = line->options; o != NULL && o->name != NULL; o++)
        fprintf(to, " --%s%s", o->name, o->value != NULL ? "=" : "");
    fprintf(to, "'\n        case $option in\n");
    for (const struct rf_option *o = line->options; o != NULL && o->name != NULL; o++)
        if (o->value != NULL)
            bash_value(to, o);
    fprintf(to, "        esac\n        ;;\n");
}

static const char BASH_BEGIN[] =
    "# What bash offers after `ringfence`; written by `ringfence help --completion=bash`.\n"
    "_ringfence_knows() { # of command $1, and the value of its option $2\n"
    "    local option=$2\n"
    "    case $1 in\n";

static const char BASH_END[] =
    "    esac\n"
    "}\n"
    "\n"
    "_ringfence() {\n"
    "    local cur=${COMP_WORDS[COMP_CWORD]} option=${COMP_WORDS[COMP_CWORD - 1]}\n"
    "    local command='' first=1 kind='' words='' verbs='' options='' i\n"
    "    COMPREPLY=()\n"
    "    for ((i = 1; i < COMP_CWORD; i++)); do\n"
    "        case ${COMP_WORDS[i]} in\n"
    "        -*) ;;\n"
    "        *) if [ -z \"$command\" ]; then command=${COMP_WORDS[i]}; else first=0; fi ;;\n"
    "        esac\n"
    "    done\n"
    "    # '--key=FILE' comes as three words where '=' parts them\n"
    "    if [ \"$cur\" = = ]; then\n"
    "        cur=''\n"
    "    elif [ \"$option\" = = ] && [ \"$COMP_CWORD\" -ge 2 ]; then\n"
    "        option=${COMP_WORDS[COMP_CWORD - 2]}\n"
    "    fi\n"
    "    if [ -z \"$command\" ]; then\n"
    "        COMPREPLY=($(compgen -W \"$_ringfence_commands --quiet --verbose --help "
    "--version\" -- \"$cur\"))\n"
    "        return\n"
    "    fi\n"
    "    _ringfence_knows \"$command\" \"$option\"\n"
    "    if [ \"$command\" = help ]; then verbs=$_ringfence_commands; fi\n"
    "    case $kind in\n"
    "    words) COMPREPLY=($(compgen -W \"$words\" -- \"$cur\")) ;;\n"
    "    directory) compopt -o filenames 2>/dev/null; COMPREPLY=($(compgen -d -- \"$cur\")) "
    ";;\n"
    "    file) compopt -o filenames 2>/dev/null; COMPREPLY=($(compgen -f -- \"$cur\")) ;;\n"
    "    any) ;;\n"
    "    *)\n"
    "        case $cur in\n"
    "        -*)\n"
    "            COMPREPLY=($(compgen -W \"$options\" -- \"$cur\"))\n"
    "            case ${COMPREPLY[*]} in *=) compopt -o nospace 2>/dev/null ;; esac\n"
    "            ;;\n"
    "        *)\n"
    "            if [ $first = 1 ] && [ -n \"$verbs\" ]; then\n"
    "                COMPREPLY=($(compgen -W \"$verbs\" -- \"$cur\"))\n"
    "            fi\n"
    "            if [ ${#COMPREPLY[@]} = 0 ]; then\n"
    "                compopt -o filenames 2>/dev/null\n"
    "                COMPREPLY=($(compgen -f -- \"$cur\"))\n"
    "            fi\n"
    "            ;;\n"
    "        esac\n"
    "        ;;\n"
    "    esac\n"
    "}\n"
    "complete -F _ringfence ringfence\n";

/* ---- zsh */

/* Inside single quotes, where brackets and colons part the pieces of a specification. */
static void zsh_text(FILE *to, const char *text, int length)
{
    for (int i = 0; i < length; i++) {
        if (text[i] == '\'')
            fputs("'\\''", to);
        else if (strchr("[]:\\", text[i]) != NULL)
            fprintf(to, "\\%c", text[i]);
        else
            fputc(text[i], to);
    }
}

static void zsh_verb(FILE *to, const char *word, int length, const char *help)
{
    fputs(" '", to);
    zsh_text(to, word, length);
    fputc(':', to);
    zsh_text(to, help, (int)strlen(help));
    fputc('\'', to);
}

/* One form of an option: "-o" or "--out". */
static void zsh_option(FILE *to, const struct rf_option *o, const char *form, const char *sign)
{
    fprintf(to, "            '%s%s%s[", o->list != NULL ? "*" : "", form,
            o->value != NULL ? sign : "");
    zsh_text(to, o->help, (int)strlen(o->help));
    fputc(']', to);
    if (o->value != NULL) {
        fputc(':', to);
        zsh_text(to, o->value, (int)strlen(o->value));
        if (o->choices != NULL)
            fprintf(to, ":(%s)", o->choices);
        else if (wants_directory(o->value))
            fputs(":_files -/", to);
        else
            fputs(wants_file(o->value) ? ":_files" : ":", to);
    }
    fputs("' \\\n", to);
}

static void zsh_command(FILE *to, const struct rf_command *command,
                        const struct rf_command_line *line)
{
    char form[64];

    fprintf(to, "    %s)\n        verbs=(", command->name);
    each_verb(line, zsh_verb, to);
    fprintf(to, ")\n        _arguments \\\n");
    for (const struct rf_option *o = line->options; o != NULL && o->name != NULL; o++) {
        snprintf(form, sizeof form, "--%s", o->name);
        zsh_option(to, o, form, "=");
        snprintf(form, sizeof form, "-%c", o->letter);
        if (o->letter != 0)
            zsh_option(to, o, form, "+");
    }
    fprintf(to, "            '(- *)'{-h,--help}'[print the help]' \\\n"
                "            '1: :_ringfence_first' '*: :_files'\n        ;;\n");
}

static const char ZSH_BEGIN[] =
    "#compdef ringfence\n"
    "# What zsh offers after `ringfence`; written by `ringfence help --completion=zsh`.\n"
    "_ringfence_first() {\n"
    "    if (( $#verbs )); then _describe argument verbs; fi\n"
    "    _files\n"
    "}\n"
    "\n"
    "_ringfence() {\n"
    "    local curcontext=$curcontext state line\n"
    "    local -a commands verbs\n"
    "    commands=(";

static const char ZSH_MIDDLE[] =
    ")\n"
    "    _arguments -C \\\n"
    "        '(-q --quiet)'{-q,--quiet}'[warnings and notes are not printed, errors are]' \\\n"
    "        '(-v --verbose)'{-v,--verbose}'[more notes on stderr]' \\\n"
    "        '(- *)'{-h,--help}'[print the commands]' \\\n"
    "        '(- *)--version[print the version, and what it was built with]' \\\n"
    "        '1: :->command' '*:: :->argument' && return\n"
    "    case $state in\n"
    "    command) _describe command commands; return ;;\n"
    "    esac\n"
    "    case $words[1] in\n";

static const char ZSH_END[] = "    esac\n"
                              "}\n"
                              "_ringfence \"$@\"\n";

/* ---- either */

void rf_completion_begin(FILE *to, enum rf_shell shell,
                         const struct rf_command *const *commands)
{
    if (shell == RF_SHELL_ZSH) {
        fputs(ZSH_BEGIN, to);
        for (; *commands != NULL; commands++)
            zsh_verb(to, (*commands)->name, (int)strlen((*commands)->name),
                     (*commands)->summary);
        fputs(ZSH_MIDDLE, to);
        return;
    }
    fputs("_ringfence_commands='", to);
    for (; *commands != NULL; commands++)
        fprintf(to, "%s ", (*commands)->name);
    fprintf(to, "'\n%s", BASH_BEGIN);
}

void rf_completion_command(FILE *to, enum rf_shell shell, const struct rf_command *command,
                           const struct rf_command_line *line)
{
    (shell == RF_SHELL_ZSH ? zsh_command : bash_command)(to, command, line);
}

void rf_completion_end(FILE *to, enum rf_shell shell)
{
    fputs(shell == RF_SHELL_ZSH ? ZSH_END : BASH_END, to);
}
