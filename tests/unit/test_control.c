/* The control socket: requests and answers as text, and a server that nobody can hold up. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/local.h"
#include "report/control.h"

/* ---- requests and answers ---- */

static enum rf_status parse(struct rf_control_request *r, const char *text,
                            struct rf_error *err)
{
    return rf_control_parse(r, text, strlen(text), err);
}

static void requests_come_back_as_they_were(void **unused)
{
    const char *config = "jobs = ( { name = \"a\\b\"; } );\n\t# \x7f \xc3\xa4";
    struct rf_control_request submit = {.command = RF_CONTROL_SUBMIT}, cancel = {0}, got;
    struct rf_error err;
    char *text;

    (void)unused;
    submit.config = strdup(config);
    submit.config_bytes = strlen(config);
    assert_int_equal(rf_control_format(&submit, &text, &err), RF_OK);
    assert_null(strchr(text, '\n'));
    assert_int_equal(parse(&got, text, &err), RF_OK);
    assert_int_equal(got.command, RF_CONTROL_SUBMIT);
    assert_int_equal(got.config_bytes, strlen(config));
    assert_string_equal(got.config, config);
    rf_control_request_clear(&got);
    free(text);
    submit.config[0] = '\xff';
    assert_int_equal(rf_control_format(&submit, &text, &err), RF_ERR_INPUT);
    assert_null(text);
    rf_control_request_clear(&submit);
    cancel.command = RF_CONTROL_CANCEL;
    snprintf(cancel.job, sizeof cancel.job, "w2s.s0.weak");
    assert_int_equal(rf_control_format(&cancel, &text, &err), RF_OK);
    assert_int_equal(parse(&got, text, &err), RF_OK);
    assert_string_equal(got.job, "w2s.s0.weak");
    free(text);
    rf_control_request_clear(&got);
}

static void what_is_no_request_is_refused_with_words(void **unused)
{
    static const char *const bad[] = {
        "",
        "{",
        "[]",
        "7",
        "null",
        "\"status\"",
        "{}",
        "{\"ringfence\":1}",
        "{\"ringfence\":1,\"command\":7}",
        "{\"ringfence\":1,\"command\":\"Status\"}",
        "{\"ringfence\":0,\"command\":\"status\"}",
        "{\"ringfence\":\"1\",\"command\":\"status\"}",
        "{\"ringfence\":1.0,\"command\":\"status\"}",
        "{\"ringfence\":1,\"command\":\"status\",\"job\":\"a\"}",
        "{\"ringfence\":1,\"command\":\"status\",\"command\":\"status\"}",
        "{\"ringfence\":1,\"command\":\"status\"} x",
        "{\"ringfence\":1,\"command\":\"cancel\"}",
        "{\"ringfence\":1,\"command\":\"cancel\",\"job\":\"\"}",
        "{\"ringfence\":1,\"command\":\"cancel\",\"job\":3}",
        "{\"ringfence\":1,\"command\":\"cancel\",\"job\":\"a\\u0000b\"}",
        "{\"ringfence\":1,\"command\":\"cancel\",\"config\":\"a\"}",
        "{\"ringfence\":1,\"command\":\"submit\"}",
        "{\"ringfence\":1,\"command\":\"submit\",\"config\":{}}",
        "{\"ringfence\":1,\"command\":\"submit\",\"config\":\"\",\"job\":\"a\"}"};
    struct rf_control_request r;
    struct rf_error err;

    (void)unused;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        err.text[0] = '\0';
        if (parse(&r, bad[i], &err) != RF_ERR_ARG || err.text[0] == '\0')
            fail_msg("taken: %s", bad[i]);
        assert_null(r.config);
    }
}

static void refusals_bring_their_words_and_exit_code(void **unused)
{
    struct rf_error why, got;
    json_t *answer;
    char *text;

    (void)unused;
    rf_fail(&why, RF_ERR_CONFIG, "x.cfg:1: key \"a\": no");
    text = rf_control_refusal(&why);
    assert_int_equal(rf_control_read(&answer, text, &got), RF_ERR_ARG);
    assert_int_equal(rf_exit_code(got.status), 2);
    assert_string_equal(got.text, why.text);
    free(text);
    text = rf_control_answer(json_pack("{s:i}", "x", 3));
    assert_int_equal(rf_control_read(&answer, text, &got), RF_OK);
    assert_int_equal(json_integer_value(json_object_get(answer, "x")), 3);
    json_decref(answer);
    free(text);
    assert_int_equal(rf_control_read(&answer, "gibberish", &got), RF_ERR_PEER);
    assert_int_equal(rf_control_read(&answer, "{\"ok\":false}", &got), RF_ERR_PEER);
    assert_null(answer);
}

/* ---- the server ---- */

static void echo(void *ctx, const char *request, size_t length, char **reply)
{
    int *n = ctx;

    ++*n;
    if (strcmp(request, "nothing") != 0) {
        *reply = malloc(length + 2);
        assert_non_null(*reply);
        snprintf(*reply, length + 2, "<%s", request);
    }
}

static struct rf_local_server *open_server(const char *path, int *n)
{
    const struct rf_local_options options = {.path = path,
                                             .clients = 2,
                                             .request_bytes = 100000,
                                             .patience_us = 1000000,
                                             .answer = echo,
                                             .ctx = n};
    struct rf_local_server *server;
    struct rf_error err;

    if (rf_local_open(&server, &options, &err) != RF_OK)
        fail_msg("%s", err.text);
    return server;
}

static int connect_to(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    assert_int_equal(connect(fd, (const struct sockaddr *)&address, sizeof address), 0);
    return fd;
}

/* So many rounds, a millisecond apart by the server's clock. */
static void rounds(struct rf_local_server *server, int64_t *now_us, int n)
{
    for (int i = 0; i < n; i++)
        rf_local_round(server, *now_us += 3000);
}

static ssize_t answer_of(int fd, char *text, size_t size)
{
    ssize_t n = recv(fd, text, size - 1, MSG_DONTWAIT);

    text[n > 0 ? n : 0] = '\0';
    return n;
}

static void a_server_answers_each_once_and_waits_for_none(void **unused)
{
    char path[64], text[300000];
    int64_t now_us = 1;
    int asked = 0, slow, good;
    struct rf_local_server *server;

    (void)unused;
    snprintf(path, sizeof path, "test_control.%ld", (long)getpid());
    server = open_server(path, &asked);
    slow = connect_to(path);
    rounds(server, &now_us, 3);
    assert_int_equal(send(slow, "hel", 3, MSG_NOSIGNAL), 3); /* and no more for now */
    good = connect_to(path);
    assert_int_equal(send(good, "hi\nmore", 7, MSG_NOSIGNAL), 7);
    rounds(server, &now_us, 4);
    assert_int_equal(answer_of(good, text, sizeof text), 4);
    assert_string_equal(text, "<hi\n");
    assert_int_equal(answer_of(good, text, sizeof text), 0); /* one request each */
    close(good);
    assert_int_equal(send(slow, "lo\n", 3, MSG_NOSIGNAL), 3);
    rounds(server, &now_us, 4);
    assert_int_equal(answer_of(slow, text, sizeof text), 7);
    assert_string_equal(text, "<hello\n");
    close(slow);
    good = connect_to(path);
    assert_int_equal(send(good, "nothing\n", 8, MSG_NOSIGNAL), 8);
    rounds(server, &now_us, 4);
    assert_int_equal(answer_of(good, text, sizeof text), 0);
    close(good);
    assert_int_equal(asked, 3);
    rf_local_close(server);
    assert_false(rf_file_exists(path));
}

static void who_is_silent_or_sends_too_much_is_dropped(void **unused)
{
    char path[64], text[100];
    static char much[60000];
    int64_t now_us = 1;
    int asked = 0, silent[2], third, loud;
    struct rf_local_server *server;

    (void)unused;
    snprintf(path, sizeof path, "test_control.%ld", (long)getpid());
    server = open_server(path, &asked);
    silent[0] = connect_to(path);
    silent[1] = connect_to(path);
    rounds(server, &now_us, 3);
    third = connect_to(path); /* waits: two are served at a time */
    assert_int_equal(send(third, "x\n", 2, MSG_NOSIGNAL), 2);
    rounds(server, &now_us, 10);
    assert_int_equal(answer_of(third, text, sizeof text), -1);
    now_us += 2000000; /* beyond the patience */
    rounds(server, &now_us, 6);
    assert_int_equal(answer_of(silent[0], text, sizeof text), 0);
    assert_int_equal(answer_of(third, text, sizeof text), 3);
    close(silent[0]);
    close(silent[1]);
    close(third);
    memset(much, 'x', sizeof much);
    loud = connect_to(path);
    for (int i = 0; i < 3; i++) {
        send(loud, much, sizeof much, MSG_NOSIGNAL | MSG_DONTWAIT);
        rounds(server, &now_us, 10);
    }
    assert_true(answer_of(loud, text, sizeof text) <= 0);
    assert_true(send(loud, "x", 1, MSG_NOSIGNAL) < 0);
    close(loud);
    assert_int_equal(asked, 1);
    rf_local_close(server);
}

static void a_socket_is_mine_alone_and_a_dead_one_is_replaced(void **unused)
{
    struct rf_local_options options = {.clients = 1, .request_bytes = 10, .answer = echo};
    struct rf_local_server *server, *second;
    struct rf_error err;
    struct stat info;
    char path[64], *reply;
    int asked = 0;

    (void)unused;
    snprintf(path, sizeof path, "test_control.%ld", (long)getpid());
    server = open_server(path, &asked);
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0600);
    options.path = path;
    assert_int_equal(rf_local_open(&second, &options, &err), RF_ERR_PEER); /* it is alive */
    assert_null(second);
    rf_local_close(server);
    assert_int_equal(rf_local_ask(path, "x", 100000, &reply, &err), RF_ERR_PEER);
    { /* what a crash leaves */
        struct sockaddr_un address = {.sun_family = AF_UNIX};
        int fd = socket(AF_UNIX, SOCK_STREAM, 0);

        snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
        assert_int_equal(bind(fd, (const struct sockaddr *)&address, sizeof address), 0);
        close(fd);
    }
    assert_true(rf_file_exists(path));
    rf_local_close(open_server(path, &asked));
    assert_int_equal(rf_file_write(path, "precious", 8, &err), RF_OK);
    assert_int_equal(rf_local_open(&second, &options, &err), RF_ERR_IO); /* no socket at all */
    assert_true(rf_file_exists(path));
    unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_come_back_as_they_were),
        cmocka_unit_test(what_is_no_request_is_refused_with_words),
        cmocka_unit_test(refusals_bring_their_words_and_exit_code),
        cmocka_unit_test(a_server_answers_each_once_and_waits_for_none),
        cmocka_unit_test(who_is_silent_or_sends_too_much_is_dropped),
        cmocka_unit_test(a_socket_is_mine_alone_and_a_dead_one_is_replaced)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
