/* error.h - what went wrong, in one status and one sentence.
 *
 * Whatever can fail returns enum rf_status and takes a struct rf_error last.
 * The text starts small, says the problem first and quotes its subject:
 * "cannot open 'jobs.swf': no such file". Printing is left to the caller. */
#ifndef RF_BASE_ERROR_H
#define RF_BASE_ERROR_H

enum rf_status {
    RF_OK = 0,
    RF_NO,           /* done, and the answer is no: broken pledge, failed verification */
    RF_ERR_ARG,      /* wrong arguments on the command line */
    RF_ERR_CONFIG,   /* wrong configuration; the text names file, line and key */
    RF_ERR_INPUT,    /* wrong input file; the text names file and line or field */
    RF_ERR_IO,       /* a file or directory failed us */
    RF_ERR_MEMORY,   /* out of memory */
    RF_ERR_PEER,     /* another rank or process failed */
    RF_ERR_FULL,     /* not enough free of what was asked for */
    RF_ERR_INTERNAL, /* a defect of ours */
    RF_AGAIN         /* checkpointed before the end; run me again */
};

struct rf_error {
    enum rf_status status;
    char text[600];
};

#if defined(__GNUC__)
#define RF_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#else
#define RF_PRINTF(fmt, args)
#endif

/* Writes the sentence and the status into err (which may be NULL) and returns
 * the status, so that a caller can end with `return rf_fail(...)`. */
enum rf_status rf_fail(struct rf_error *err, enum rf_status status, const char *fmt, ...)
    RF_PRINTF(3, 4);

/* The process exit code for a status: 0 done, 1 no, 2 arguments, config or
 * input, 3 files, memory or a peer, 4 a defect, 85 run me again. */
int rf_exit_code(enum rf_status status);

#endif
