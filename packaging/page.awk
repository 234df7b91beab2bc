# page.awk - a page of this project's Markdown as a manual page, so that a format is described once.
#
#   awk -f page.awk -v name=ringfence.cfg -v section=5 -v date=2026-12-01 -v version=0.1.0 \
#       -v summary="configurations of ringfence" configs/README.md >ringfence.cfg.5
#
# It knows what those pages use: headings, paragraphs, lists, tables, code, `literals`, **bold**
# and links. The first column of a table becomes the tag of an entry; columns called default and
# range are named, others follow one another.

# Text for roff: literals and bold in bold, links by their words (addresses only of other places).
function inline(text,    out, c, i, j, bold, word, address) {
    out = ""
    bold = 0
    for (i = 1; i <= length(text); i++) {
        c = substr(text, i, 1)
        if (c == "`" && (j = index(substr(text, i + 1), "`")) > 0) {
            out = out "\\fB" plain(substr(text, i + 1, j - 1)) (bold ? "" : "\\fR")
            i += j
        } else if (substr(text, i, 2) == "**") {
            bold = !bold
            out = out (bold ? "\\fB" : "\\fR")
            i++
        } else if (c == "[" && match(substr(text, i), /^\[[^]]*\]\([^)]*\)/)) {
            word = substr(text, i + 1, RLENGTH - 2)
            address = word
            sub(/\].*/, "", word)
            sub(/^[^]]*\]\(/, "", address)
            out = out inline(word) (address ~ /^https?:/ ? " <" plain(address) ">" : "")
            i += RLENGTH - 1
        } else
            out = out plain(c)
    }
    return out
}

function plain(text) {
    gsub(/\\/, "\\e", text)
    gsub(/'/, "\\(aq", text)
    gsub(/~/, "\\(ti", text)
    gsub(/\^/, "\\(ha", text)
    gsub(/-/, "\\-", text)
    return text
}

# Words to lines, a line to a sentence; a dot in front would be a macro.
function put(text,    words, n, i, line) {
    n = split(text, words, " ")
    line = ""
    for (i = 1; i <= n; i++) {
        if (line != "" && length(line) + 1 + length(words[i]) > 78) {
            put_line(line)
            line = ""
        }
        line = line (line == "" ? "" : " ") words[i]
        if (words[i] ~ /[.?!]\)?$/) {
            put_line(line)
            line = ""
        }
    }
    if (line != "")
        put_line(line)
}

function put_line(line) { print (line ~ /^[.']/ ? "\\&" : "") line }

function flush() {
    if (text != "") {
        if (kind == "item")
            print ".IP \\(bu 2"
        else if (!fresh)
            print ".PP"
        put(inline(text))
        fresh = 0
    }
    text = kind = ""
}

function heading(level, words) {
    flush()
    print (level > 2 ? ".SS " : ".SH ") (level > 2 ? inline(words) : toupper(inline(words)))
    fresh = 1
}

# Pipes inside literals are written \| in such tables.
function row(line,    cells, n, i, out) {
    gsub(/\\\|/, "\001", line)
    sub(/^\| */, "", line)
    sub(/ *\|[ \t]*$/, "", line)
    n = split(line, cells, / *\| */)
    for (i = 1; i <= n; i++)
        gsub(/\001/, "|", cells[i])
    if (!in_table) {
        for (i = 1; i <= n; i++)
            header[i] = cells[i]
        in_table = 1
        return
    }
    if (cells[1] ~ /^:?-+:?$/)
        return
    print ".TP"
    put_line(cells[1] == "" ? "\\&" : inline(cells[1]))
    out = cells[2]
    for (i = 3; i <= n; i++)
        if (cells[i] != "")
            out = out (header[i] == "default" ? ". Default: " : header[i] == "range" ? ". Range: " : "; ") cells[i]
    put(inline(out == "" ? "-" : out) (n > 3 ? "." : ""))
    fresh = 0
}

BEGIN {
    printf ".\\\" Made by page.awk; the source is a page of Markdown.\n"
    printf ".TH %s %s %s \"ringfence %s\" \"ringfence manual\"\n", toupper(name), section, date, version
    title = name
    gsub(/-/, "\\-", title)
    printf ".SH NAME\n%s \\- %s\n.SH DESCRIPTION\n", title, summary
    fresh = 1
    while ((getline line < ARGV[1]) > 0)
        one(line)
    flush()
    if (code)
        print ".EE"
    exit
}

function one(line) {
    if (line ~ /^```/ || (code == 4 && line !~ /^(    |$)/)) {
        flush()
        if (code) {
            print ".EE"
            code = 0
            if (line ~ /^```/)
                return
        } else {
            print ".PP\n.EX"
            code = 3
            return
        }
    }
    if (code) {
        if (code == 4)
            sub(/^    /, "", line)
        put_line(line == "" ? "\\&" : plain(line))
        return
    }
    if (line !~ /^\|/)
        in_table = 0
    if (line ~ /^# / && !titled) {
        titled = 1
        return
    }
    if (match(line, /^#+ /))
        heading(RLENGTH - 1, substr(line, RLENGTH + 1))
    else if (line ~ /^\|/) {
        flush()
        row(line)
    } else if (line ~ /^    / && kind == "") {
        flush()
        print ".PP\n.EX"
        code = 4
        put_line(plain(substr(line, 5)))
    } else if (line ~ /^- /) {
        flush()
        kind = "item"
        text = substr(line, 3)
    } else if (line ~ /^ *$/)
        flush()
    else {
        sub(/^ +/, "", line)
        text = text (text == "" ? "" : " ") line
        if (kind == "")
            kind = "text"
    }
}
