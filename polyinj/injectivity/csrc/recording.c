#include "search_state.h"

#include <stdlib.h>
#include <string.h>

int64_t used_bytes(const search *s)
{
    int64_t bytes = s->pool.bytes;
    for (int i = 0; i < s->blocks; i++)
        bytes += s->tree[i].capacity * (int64_t)sizeof(int32_t);
    return bytes;
}

static int append_code(search *s, recording *r, const int32_t *number, int count)
{
    assert(0 <= r->length && r->length <= r->capacity && count >= 2);
    if (r->length + count > r->capacity) {
        const int64_t capacity = 2 * r->capacity + count + 256;
        if (used_bytes(s) + (capacity - r->capacity) * (int64_t)sizeof(int32_t) > s->memory_limit)
            return -1;
        int32_t *code = realloc(r->code, (size_t)capacity * sizeof(int32_t));
        if (code == NULL)
            return -1;
        r->code = code;
        r->capacity = capacity;
    }
    memcpy(r->code + r->length, number, sizeof(int32_t) * (size_t)count);
    r->length += count;
    return 0;
}

int record_step_in(search *s, int rotation, int step, int argument)
{
    assert(rotation >= 0 && rotation < s->blocks);
    const int32_t number[2] = {step, argument};
    return s->record ? append_code(s, &s->tree[rotation], number, 2) : 0;
}

int record_step(search *s, int step, int argument)
{
    return record_step_in(s, s->rotation, step, argument);
}

int record_packing(search *s, int step, int j, const int32_t *circuit, int count)
{
    if (!s->record)
        return 0;
    assert(count >= 0 && j >= 0 && j < s->blocks);
    int32_t number[count + 3];
    int length = 0;
    number[length++] = step;
    if (step != STEP_SPANNING)
        number[length++] = j + 1;
    number[length++] = count;
    for (int i = 0; i < count; i++)
        number[length++] = circuit[i];
    return append_code(s, &s->tree[s->rotation], number, length);
}

/* Of the step at `at`: where the circuits that it names begin and end, which is where the next step begins. */
static int64_t circuits_of_step(const int32_t *code, int64_t length, int64_t at, int64_t *begin)
{
    int64_t end;
    assert(at + 1 < length);
    switch (code[at]) {
    case STEP_UNIT:
    case STEP_CONTRADICTION:
        *begin = at + 1;
        end = at + 2;
        break;
    case STEP_FILL:
    case STEP_PACKING:
        *begin = at + 3;
        end = at + 3 + code[at + 2];
        break;
    case STEP_SPANNING:
        *begin = at + 2;
        end = at + 2 + code[at + 1];
        break;
    default: assert(code[at] == STEP_BRANCH || code[at] == STEP_GIVEN); *begin = end = at + 2;
    }
    assert(*begin <= end && end <= length);
    return end;
}

int32_t recording_renumber(int32_t *code, int64_t length, int32_t *number, int32_t used)
{
    int64_t begin;
    for (int64_t at = 0; at < length;) {
        const int64_t end = circuits_of_step(code, length, at, &begin);
        for (int64_t i = begin; i < end; i++) {
            assert(code[i] >= 0);
            if (number[code[i]] < 0)
                number[code[i]] = used++;
            code[i] = number[code[i]];
        }
        at = end;
    }
    return used;
}

int64_t recording_find_given(const int32_t *code, int64_t length)
{
    int64_t begin;
    for (int64_t at = 0; at < length; at = circuits_of_step(code, length, at, &begin))
        if (code[at] == STEP_GIVEN)
            return at;
    return -1;
}
