#include "dense.h"

#include <assert.h>
#include <math.h>
#include <string.h>

INLINE int invert(double *a, int order, const int stride)
{
    assert(0 < order && order <= stride);
    int swapped[order];
    double line[stride] __attribute__((aligned(ALIGNMENT)));
    for (int j = 0; j < order; j++) {
        int best = j;
        for (int i = j + 1; i < order; i++)
            if (fabs(a[i * stride + j]) > fabs(a[best * stride + j]))
                best = i;
        swapped[j] = best;
        const double pivot = a[best * stride + j];
        if (!(fabs(pivot) > 1e-13))
            return -1;
        /* In place: column j of the left half is done, so it takes column j of the inverse. */
        const double scale = 1 / pivot;
        double *upper = a + j * stride, *lower = a + best * stride;
        for (int k = 0; k < stride; k++)
            line[k] = lower[k] * scale;
        if (best != j)
            memcpy(lower, upper, sizeof(double) * (size_t)stride);
        line[j] = scale;
        for (int i = 0; i < order; i++) {
            double *restrict target = a + i * stride;
            const double factor = target[j];
            for (int k = 0; k < stride; k++)
                target[k] -= factor * line[k];
            /* Now, not as a zero before: a narrow store would hold up the wide loads. */
            target[j] = -factor * scale;
        }
        memcpy(upper, line, sizeof(double) * (size_t)stride);
    }
    /* Row exchanges of the matrix are column exchanges of its inverse, undone last to first. */
    for (int j = order - 1; j >= 0; j--) {
        if (swapped[j] == j)
            continue;
        for (int i = 0; i < order; i++) {
            const double keep = a[i * stride + j];
            a[i * stride + j] = a[i * stride + swapped[j]];
            a[i * stride + swapped[j]] = keep;
        }
    }
    return 0;
}

CLONED static int invert_8(double *a, int order)
{
    return invert(a, order, 8);
}
CLONED static int invert_16(double *a, int order)
{
    return invert(a, order, 16);
}
CLONED static int invert_24(double *a, int order)
{
    return invert(a, order, 24);
}
CLONED static int invert_any(double *a, int order)
{
    return invert(a, order, dense_stride(order));
}

int dense_invert(double *a, int order)
{
    switch (dense_stride(order)) {
    case 8: return invert_8(a, order);
    case 16: return invert_16(a, order);
    case 24: return invert_24(a, order);
    default: return invert_any(a, order);
    }
}
