"""A naive finder of injectivity proofs for tiny layers: all signed circuits, then greedy packings and branching."""

from __future__ import annotations

from itertools import combinations, product

from polyinj.certificates.clause_table import padded
from polyinj.certificates.layer import read_layer
from polyinj.certificates.layer_proof import InjectivityProof
from polyinj.exact.algebra import kernel, rank

UNIT, FILL, BRANCH, PACKING, CONTRADICTION, SPANNING, FLAT = range(1, 8)


def signed_circuits(system):
    """Every signed circuit, as a list of literals."""
    vectors = system.rows + system.sides
    usable = system.spanning_rows + list(range(len(system.rows), len(vectors)))
    found = []
    for size in range(1, system.dimension + 2):
        for chosen in combinations(usable, size):
            columns = [list(column) for column in zip(*(vectors[i] for i in chosen), strict=True)]
            relations = kernel(columns, size)
            if len(relations) == 1 and all(relations[0]):
                for sign in (1, -1):
                    literals = [
                        (i + 1) * (1 if a * sign > 0 else -1) for i, a in zip(chosen, relations[0], strict=True)
                    ]
                    if all(a < 0 for a in literals if abs(a) > len(system.rows)):
                        found.append(literals)
    return found


class Prover:
    """Search with the whole list of circuits; `tree()` is None when a cell remains."""

    def __init__(self, system, circuits):
        self.system = system
        self.rows = set(system.spanning_rows)
        self.clauses = [[a for a in clause if abs(a) <= len(system.rows)] for clause in circuits]

    def live(self, state):
        """Indices and live literals of the clauses that no literal satisfies."""
        open_clauses = []
        for c, clause in enumerate(self.clauses):
            if not any(state.get(abs(a) - 1) == (a > 0) for a in clause):
                open_clauses.append((c, [a for a in clause if abs(a) - 1 not in state]))
        return sorted(open_clauses, key=lambda pair: len(pair[1]))

    def tree(self, state=None):
        state, steps = dict(state or {}), []
        while True:
            clauses = self.live(state)
            if clauses and not clauses[0][1]:
                return [*steps, CONTRADICTION, clauses[0][0]]
            units = [(c, live[0]) for c, live in clauses if len(live) == 1]
            if units:
                clause, literal = units[0]
                state[abs(literal) - 1] = literal > 0
                steps += [UNIT, clause]
                continue
            usable = [(c, {a - 1 for a in live}) for c, live in clauses if all(a > 0 for a in live)]
            step, ends = self.prune(state, usable)
            steps += step
            if ends:
                return steps
            if not step:
                break
        free = [min(usable[0][1])] if usable else sorted(self.rows - set(state))[:1]
        if not free:
            return None
        children = [self.tree(state | {free[0]: value}) for value in (True, False)]
        return None if None in children else [*steps, BRANCH, free[0], *children[0], *children[1]]


class CountProver(Prover):
    def __init__(self, system, circuits, budgets):
        super().__init__(system, circuits)
        self.budgets = budgets

    def prune(self, state, usable):
        for number, (rows, bound) in enumerate(self.budgets, start=1):
            packing, packed = [], set()
            for clause, live in usable:
                if live <= rows and not live & packed:
                    packing.append(clause)
                    packed |= live
            least = sum(state.get(i, False) for i in rows) + len(packing)
            idle = [i for i in rows if i not in state and i not in packed]
            if least > bound:
                return [PACKING, number, len(packing), *packing], True
            if least == bound and idle:
                state.update(dict.fromkeys(idle, False))
                return [FILL, number, len(packing), *packing], False
        return [], False


class RankProver(Prover):
    def prune(self, state, usable):
        columns = self.system.columns
        weights = [row[:columns] for row in self.system.rows]
        flat = [weights[i] for i in state if state[i]]
        missing = columns - rank(flat)
        idle = [i for i in self.rows - set(state) if rank([*flat, weights[i]]) == columns]
        if missing == 1 and idle:
            state.update(dict.fromkeys(idle, False))
            return [FLAT], False
        for packing in combinations(usable[:6], missing):
            if all(rank(flat + [weights[i] for i in t]) == columns for t in product(*(live for _, live in packing))):
                return [SPANNING, missing, *(clause for clause, _ in packing)], True
        return [], False


def count_proof(weights, bias=None, domain=None, *, blocks=1, budget=None, cuts=()):
    """An InjectivityProof with the claim "depth", or None; row i is in block i modulo the number of blocks."""
    layer = read_layer(weights, bias, domain).covered(cuts)
    system = layer.system()
    circuits = signed_circuits(system)
    budget = system.columns - 1 if budget is None else budget
    parts = [system.spanning_rows[b::blocks] for b in range(blocks)]
    trees = []
    for r in range(blocks):
        turned = parts[r:] + parts[:r]
        budgets = [({i for part in turned[:j] for i in part}, budget * j // blocks) for j in range(1, blocks + 1)]
        if blocks == 2 and r == 1:
            budgets[0] = budgets[0][0], (budget - 1) // 2
        trees.append(CountProver(system, circuits, budgets).tree())
        if trees[-1] is None:
            return None
    return _proof(layer, "depth", budget, parts, circuits, trees)


def rank_proof(weights, bias=None, domain=None, *, cuts=()):
    """An InjectivityProof with the claim "spanning", or None."""
    layer = read_layer(weights, bias, domain).covered(cuts)
    system = layer.system()
    circuits = signed_circuits(system)
    tree = RankProver(system, circuits).tree()
    return None if tree is None else _proof(layer, "spanning", system.columns - 1, [], circuits, [tree])


def _proof(layer, claim, budget, blocks, circuits, trees):
    used = sorted({c for tree in trees for c in named_clauses(tree)})
    new = {old: i for i, old in enumerate(used)}
    trees = [_renamed(tree, new) for tree in trees]
    circuits = padded([circuits[c] for c in used])
    return InjectivityProof.of(layer, claim=claim, budget=budget, blocks=blocks, circuits=circuits, trees=trees)


def clause_positions(tree):
    """Where in a tree the entries stand that name clauses."""
    at = 0
    while at < len(tree):
        code = tree[at]
        if code in (UNIT, CONTRADICTION):
            yield at + 1
            at += 2
        elif code in (FILL, PACKING):
            yield from range(at + 3, at + 3 + tree[at + 2])
            at += 3 + tree[at + 2]
        elif code == SPANNING:
            yield from range(at + 2, at + 2 + tree[at + 1])
            at += 2 + tree[at + 1]
        else:
            at += 2 if code == BRANCH else 1


def named_clauses(tree):
    return [tree[at] for at in clause_positions(tree)]


def _renamed(tree, new):
    tree = list(tree)
    for at in list(clause_positions(tree)):
        tree[at] = new[tree[at]]
    return tree
