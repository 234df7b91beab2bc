# ledger.awk - a ledger looked at a second time, by nothing that belongs to the program: who holds
# which device is one array, and device-time is added up as time goes by. Says what does not
# add up, one line each, and ends with 1; otherwise prints "KEY VALUE" lines: entries, jobs, done,
# failed, recovers, charged_us, lost_us, closed, and for each job "job NAME STATE" and account
# "account NAME CHARGED_US". Numbers stay below 2^53, where a double is exact.

function text(key,    at, rest) { # the string of a key; "" without
    at = index($0, "\"" key "\":\"")
    if (at == 0)
        return ""
    rest = substr($0, at + length(key) + 4)
    return substr(rest, 1, index(rest, "\"") - 1)
}

function number(key,    at) {
    at = index($0, "\"" key "\":")
    return at == 0 ? 0 : substr($0, at + length(key) + 3) + 0
}

function wrong(what) {
    print "entry " (NR - 1) " (" type "): " what
    bad = 1
}

# Gives the devices of this line to a lease, or takes them from it; -1: nobody. Returns their number.
function move(set, from, to,    n, i, d, parts, ends, count) {
    n = split(set, parts, ",")
    for (i = 1; i <= n; i++) {
        if (split(parts[i], ends, "-") == 1)
            ends[2] = ends[1]
        for (d = ends[1] + 0; d <= ends[2] + 0; d++) {
            if (!(d in owner))
                wrong("device " d " is not there")
            else if (owner[d] != from)
                wrong("device " d " is with lease " owner[d] ", not " from)
            owner[d] = to
            count++
        }
    }
    return count
}

function fleet_change(up,    n, i, d, parts, ends) {
    n = split(text("devices"), parts, ",")
    for (i = 1; i <= n; i++) {
        if (split(parts[i], ends, "-") == 1)
            ends[2] = ends[1]
        for (d = ends[1] + 0; d <= ends[2] + 0; d++) {
            if (up && (d in owner))
                wrong("device " d " comes twice")
            if (!up && owner[d] != -1)
                wrong("device " d " goes while it is held")
            if (up) owner[d] = -1
            else delete owner[d]
        }
    }
}

function read_meter(lease,    owed) { # what this line charges, against the clock
    owed = size[lease] * (t - since[lease])
    if (number("held_us") != owed)
        wrong("held_us is " number("held_us") ", the clock says " owed)
    charged += owed
    charged_of[account[job]] += owed
    since[lease] = t
}

function let_go(lease,    d) {
    for (d in owner)
        if (owner[d] == lease)
            owner[d] = -1
    out -= size[lease]
    delete size[lease]
    lease_of[job] = -1
}

{
    type = text("type"); t = number("t_us"); job = number("job"); lease = number("lease")
    if (number("seq") != NR - 1) wrong("seq is " number("seq"))
    if (NR > 1 && t < before) wrong("time goes back")
    if (NR > 1) passed += out * (t - before)
    before = t
    if (closed != "" && type != "recover") wrong("the run is closed")
}
type == "capacity" { fleet_change(number("up")) }
type == "request" {
    if (job != njobs) wrong("job ids are not dense")
    if (text("name") in seen) wrong("'" text("name") "' was requested before")
    seen[text("name")] = 1
    name[job] = text("name"); account[job] = text("account"); state[job] = "queued"; lease_of[job] = -1
    njobs++
}
type == "grant" {
    if (state[job] != "queued") wrong("the job is " state[job])
    if (lease != nleases) wrong("lease ids are not dense")
    nleases++
    size[lease] = move(text("devices"), -1, lease)
    out += size[lease]; since[lease] = t; state[job] = "running"; lease_of[job] = lease
}
type ~ /^(charge|shrink|grow|release)$/ || (type == "end" && lease >= 0) {
    if (lease_of[job] != lease) wrong("the job does not hold lease " lease)
    else read_meter(lease)
}
type == "shrink" { n = move(text("devices"), lease, -1); size[lease] -= n; out -= n }
type == "grow" { n = move(text("devices"), -1, lease); size[lease] += n; out += n }
type == "release" { let_go(lease); state[job] = "queued" }
type == "deny" { state[job] = "denied" }
type == "end" {
    if (state[job] !~ /^(queued|running)$/) wrong("the job is " state[job])
    if (lease >= 0) let_go(lease)
    state[job] = text("state")
}
type == "recover" {
    recovers++
    closed = ""
    for (job = 0; job < njobs; job++)
        if (lease_of[job] >= 0) {
            lost += size[lease_of[job]] * (t - since[lease_of[job]])
            let_go(lease_of[job])
            state[job] = "queued"
        }
}
type == "close" {
    closed = text("reason")
    if (out != 0) wrong(out " devices are still held")
}
END {
    type = "end of file"
    for (job = 0; job < njobs; job++)
        if (lease_of[job] >= 0)
            lost += size[lease_of[job]] * (t - since[lease_of[job]])
    if (passed != charged + lost)
        wrong("devices were held for " passed " us, " charged " were charged and " lost " not")
    if (bad)
        exit 1
    printf "entries %d\njobs %d\nrecovers %d\ncharged_us %.0f\nlost_us %.0f\nclosed %s\n",
        NR, njobs, recovers, charged, lost, closed == "" ? "-" : closed
    for (job = 0; job < njobs; job++)
        printf "job %s %s\n", name[job], state[job]
    for (a in charged_of)
        printf "account %s %.0f\n", a, charged_of[a]
}
