"""Compiled kernel: at which point of a box is the sum of what the signs of rows cost least?

csrc/sign_search.h says how; lipschitz/vertex_search.py drives it and settles what floating point leaves open. A run
releases the interpreter's lock.
"""

import numpy as np

from libc.stdint cimport int64_t, uint64_t

from polyinj._status cimport kernel_status

from polyinj._status import Status

cdef extern from "sign_search.h" nogil:
    ctypedef struct margin:
        double *point
    ctypedef struct sign_search:
        int rows
        int words
        margin line
        signed char *want
        double *cost
        double floor
        int closing
        int64_t nodes
        int64_t clauses
        uint64_t *left
    int sign_search_open(sign_search *s, int inputs, int rows, const double *row, const double *low,
                         const double *high, double error)
    void sign_search_close(sign_search *s)
    void sign_search_start(sign_search *s, double top, double floor)
    int sign_search_learn(sign_search *s, const uint64_t *clause)
    void sign_search_retry(sign_search *s)
    kernel_status sign_search_run(sign_search *s, int64_t max_nodes)


cdef class SignSearch:
    """SignSearch(rows, low, high, error): rows (k, n + 1) of doubles, w_i then b_i; the box low <= x <= high.

    error: bounds the rounding of a product with a row, as a share of the sum of the sizes of its terms.
    nodes, clauses: how many were entered, how many are known. floor: what a point must exceed.

        search.ask(want, cost, top, floor)
        while (status := search.run(1000)) != Status.DONE:
            if status == Status.WITNESS:    # the signs at `point` may leave more than the floor of `top`
                raise the floor; where `closing` and the rows of `pattern` do not exist: learn that, and run on
    """

    cdef sign_search _s
    cdef object _rows, _low, _high
    cdef int _inputs

    def __cinit__(self, rows, low, high, double error):
        self._rows, self._low, self._high = (np.array(part, dtype=np.float64) for part in (rows, low, high))
        cdef double[:, ::1] row = self._rows
        cdef double[::1] least = self._low, most = self._high
        self._inputs = row.shape[1] - 1
        if not (row.shape[0] > 0 and self._inputs > 0 and least.shape[0] == most.shape[0] == self._inputs):
            raise ValueError(f"rows have shape ({row.shape[0]}, {row.shape[1]}), the box has {least.shape[0]} sides")
        if sign_search_open(&self._s, self._inputs, row.shape[0], &row[0, 0], &least[0], &most[0], error):
            sign_search_close(&self._s)
            raise MemoryError

    def __dealloc__(self):
        sign_search_close(&self._s)

    def ask(self, const signed char[::1] want, const double[::1] cost, double top, double floor):
        """Begin a question: the sign wanted of each row, 0 for none, and what the other one costs, not negative."""
        cdef int i
        if not want.shape[0] == cost.shape[0] == self._s.rows:
            raise ValueError(f"{want.shape[0]} signs and {cost.shape[0]} costs of {self._s.rows} rows")
        for i in range(self._s.rows):
            self._s.want[i], self._s.cost[i] = want[i], cost[i]
        sign_search_start(&self._s, top, floor)

    def run(self, int64_t max_nodes):
        """Enter at most max_nodes nodes more: DONE, RUNNING, OUT_OF_MEMORY, or WITNESS at `point`."""
        cdef kernel_status status
        with nogil:
            status = sign_search_run(&self._s, max_nodes)
        return Status(status)

    def learn(self, signs):
        """A clause: no point of the box has these signs, 0 where any will do. An open node is entered again."""
        cdef const signed char[::1] sign = np.array(signs, dtype=np.int8)
        cdef uint64_t[::1] clause = np.zeros(2 * self._s.words, dtype=np.uint64)
        cdef int i
        if sign.shape[0] != self._s.rows:
            raise ValueError(f"{sign.shape[0]} signs of {self._s.rows} rows")
        for i in range(self._s.rows):
            if sign[i]:
                clause[(i >> 6) + (0 if sign[i] > 0 else self._s.words)] |= (<uint64_t> 1) << (i & 63)
        if sign_search_learn(&self._s, &clause[0]):
            raise MemoryError
        sign_search_retry(&self._s)

    @property
    def point(self):
        """After WITNESS."""
        return np.array([self._s.line.point[j] for j in range(self._inputs)])

    @property
    def pattern(self):
        """After WITNESS that is closing: the signs that were asked for, 0 where any will do."""
        return [<int>(self._s.left[i >> 6] >> (i & 63) & 1)
                - <int>(self._s.left[self._s.words + (i >> 6)] >> (i & 63) & 1) for i in range(self._s.rows)]

    @property
    def closing(self):
        """After WITNESS: no other signs below this node leave more."""
        return self._s.closing != 0

    @property
    def nodes(self):
        """How many nodes were entered."""
        return self._s.nodes

    @property
    def clauses(self):
        """How many clauses are known."""
        return self._s.clauses

    @property
    def floor(self):
        """What a point must exceed."""
        return self._s.floor

    @floor.setter
    def floor(self, double value):
        self._s.floor = value
