#include "portable.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

void *aligned_zeros(size_t count, size_t size)
{
    assert(size > 0 && count <= (SIZE_MAX - ALIGNMENT) / size);
    size_t bytes = (count * size + ALIGNMENT) / ALIGNMENT * ALIGNMENT;
    void *memory = aligned_alloc(ALIGNMENT, bytes);
    if (memory != NULL)
        memset(memory, 0, bytes);
    return memory;
}
