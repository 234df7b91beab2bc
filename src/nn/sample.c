#include "nn/sample.h"

#include <math.h>

static int likelier(const float *prob, int32_t a, int32_t b)
{
    return prob[a] > prob[b] || (prob[a] == prob[b] && a < b);
}

/* Lets the token at place i of a heap of n sink: the likeliest is on top. */
static void sink(const float *prob, int32_t *heap, int n, int i)
{
    for (int child = 2 * i + 1; child < n; child = 2 * i + 1) {
        int32_t keep = heap[i];

        if (child + 1 < n && likelier(prob, heap[child + 1], heap[child]))
            child++;
        if (!likelier(prob, heap[child], keep))
            return;
        heap[i] = heap[child];
        heap[child] = keep;
        i = child;
    }
}

static int32_t most_likely(const float *prob, int n)
{
    int32_t best = 0;

    for (int32_t i = 1; i < n; i++)
        if (prob[i] > prob[best])
            best = i;
    return best;
}

/* Moves the tokens that may be drawn to the end of order, the likeliest last; returns how many.
 * Only those are taken off the heap, so a small choice from many tokens is cheap. */
static int choose(const struct rf_sampling *s, const float *prob, int n, int32_t *order)
{
    int most = s->top_k > 0 && s->top_k < n ? s->top_k : n, taken = 0;
    double enough = s->top_p > 0 && s->top_p < 1 ? s->top_p : 2, sum = 0;

    for (int i = 0; i < n; i++)
        order[i] = i;
    for (int i = n / 2 - 1; i >= 0; i--)
        sink(prob, order, n, i);
    while (taken < most && sum < enough) {
        int last = n - 1 - taken++;
        int32_t top = order[0];

        order[0] = order[last];
        order[last] = top;
        sink(prob, order, last, 0);
        sum += (double)prob[top];
    }
    return taken;
}

int32_t rf_sample(const struct rf_sampling *sampling, const float *prob, int n, double u,
                  int32_t *order)
{
    double power, total = 0, top;
    int taken;

    if (sampling->temperature <= 0)
        return most_likely(prob, n);
    power = 1 / sampling->temperature;
    taken = choose(sampling, prob, n, order);
    top = (double)prob[order[n - 1]];
    for (int i = 0; i < taken; i++)
        total += pow((double)prob[order[n - 1 - i]] / top, power);
    u *= total;
    for (int i = 0; i < taken - 1; i++) {
        u -= pow((double)prob[order[n - 1 - i]] / top, power);
        if (u < 0)
            return order[n - 1 - i];
    }
    return order[n - taken];
}
