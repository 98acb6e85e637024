#include "lines.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { WHOLE_BITS = 21 };

double lines_scale(int rank, int count, double *vector, double error)
{
    int exact = 1;
    for (int j = 0; j < count; j++) {
        double *v = vector + j * rank, size = 0;
        for (int i = 0; i < rank; i++)
            size = fabs(v[i]) > size ? fabs(v[i]) : size;
        int exponent;
        frexp(size, &exponent);
        const double factor = ldexp(1, -exponent);
        for (int i = 0; i < rank; i++) {
            /* Exact where neither the factor nor the product is out of range. */
            double scaled = v[i] * factor;
            if (!(fabs(scaled) >= 0x1p-1000 && factor >= 0x1p-1000 && factor <= 0x1p1000)) {
                scaled = ldexp(v[i], -exponent);
                exact &= ldexp(scaled, exponent) == v[i];
            }
            v[i] = scaled;
        }
    }
    return exact ? error : error + 0x1p-1022;
}

static int64_t greatest_divisor(int64_t a, int64_t b)
{
    while (b) {
        const int64_t rest = a % b;
        a = b;
        b = rest;
    }
    return a < 0 ? -a : a;
}

int lines_make_whole(int rank, int count, double *vector)
{
    const double most = ldexp(1, WHOLE_BITS);
    for (int k = 0; k < count * rank; k++)
        if (vector[k] * most != rint(vector[k] * most))
            return 0;
    for (int j = 0; j < count; j++) {
        double *v = vector + j * rank;
        int64_t divisor = 0;
        for (int i = 0; i < rank; i++)
            divisor = greatest_divisor((int64_t)(v[i] * most), divisor);
        assert(divisor > 0);
        for (int i = 0; i < rank; i++)
            v[i] = v[i] * most / (double)divisor;
    }
    return 1;
}

typedef struct {
    const double *vector;
    int rank, down;
    int32_t number, weight;
} line;

static int compare_lines(const void *a, const void *b)
{
    const line *first = a, *second = b;
    for (int i = 0; i < first->rank; i++)
        if (first->vector[i] != second->vector[i])
            return first->vector[i] < second->vector[i] ? -1 : 1;
    return first->number < second->number ? -1 : 1;
}

/* The first entry other than 0 is made positive, and no zero has a sign; whether that turned the vector. */
static int face_up(int rank, double *vector)
{
    int i = 0;
    while (vector[i] == 0)
        i++;
    const int down = vector[i] < 0;
    for (i = 0; i < rank; i++)
        vector[i] = (down ? -vector[i] : vector[i]) + 0.0;
    return down;
}

int lines_merge(int rank, int count, double *vector, int32_t *first, int32_t *up, int32_t *down)
{
    line *sorted = malloc(sizeof(line) * (size_t)count);
    double *kept = malloc(sizeof(double) * (size_t)count * (size_t)rank);
    int lines = 0;
    if (sorted && kept) {
        for (int j = 0; j < count; j++) {
            const int turned = face_up(rank, vector + j * rank);
            sorted[j] = (line){vector + j * rank, rank, turned, first[j], up[j]};
        }
        qsort(sorted, (size_t)count, sizeof(line), compare_lines);
        for (int k = 0; k < count; k++) {
            const line *here = &sorted[k];
            if (k == 0 || memcmp(here->vector, sorted[k - 1].vector, sizeof(double) * (size_t)rank) != 0) {
                memcpy(kept + lines * rank, here->vector, sizeof(double) * (size_t)rank);
                first[lines] = here->number;
                up[lines] = down[lines] = 0;
                lines++;
            }
            *(here->down ? &down[lines - 1] : &up[lines - 1]) += here->weight;
        }
        memcpy(vector, kept, sizeof(double) * (size_t)lines * (size_t)rank);
    }
    free(sorted);
    free(kept);
    return lines;
}
