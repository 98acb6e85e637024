"""Random polyhedral geometry: exact, certified injectivity of ReLU layers beside what theory predicts."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from polyinj.certificates.domain import Ball as Ball
    from polyinj.certificates.domain import Box as Box
    from polyinj.certificates.layer_certificate import Collision as Collision
    from polyinj.certificates.layer_certificate import InjectivityProof as InjectivityProof
    from polyinj.certificates.layer_certificate import load_certificate as load_certificate
    from polyinj.certificates.layer_certificate import verify_certificate as verify_certificate
    from polyinj.certificates.network_certificate import NetworkCollision as NetworkCollision
    from polyinj.certificates.network_certificate import NetworkProof as NetworkProof
    from polyinj.certificates.network_certificate import load_network_certificate as load_network_certificate
    from polyinj.deep.check import NetworkCheck as NetworkCheck
    from polyinj.deep.check import check_network as check_network
    from polyinj.deep.decide import NetworkDecision as NetworkDecision
    from polyinj.deep.decide import decide_network_injectivity as decide_network_injectivity
    from polyinj.errors import BudgetExceeded as BudgetExceeded
    from polyinj.errors import CertificateError as CertificateError
    from polyinj.errors import InputError as InputError
    from polyinj.errors import InternalError as InternalError
    from polyinj.errors import PolyinjError as PolyinjError
    from polyinj.errors import StoreError as StoreError
    from polyinj.geometry.arrangement import Arrangement as Arrangement
    from polyinj.geometry.cone import Cone as Cone
    from polyinj.geometry.orthants import OrthantUnion as OrthantUnion
    from polyinj.injectivity.decide import decide_injectivity as decide_injectivity
    from polyinj.injectivity.decision import Decision as Decision
    from polyinj.injectivity.decision import Verdict as Verdict
    from polyinj.injectivity.depth import DepthResult as DepthResult
    from polyinj.injectivity.depth import tukey_depth as tukey_depth
    from polyinj.injectivity.invert import active_rank as active_rank
    from polyinj.injectivity.invert import inverse_lipschitz as inverse_lipschitz
    from polyinj.injectivity.invert import reconstruct as reconstruct
    from polyinj.injectivity.local_search import Witness as Witness
    from polyinj.injectivity.local_search import find_witness as find_witness
    from polyinj.lipschitz.baselines import norm_product as norm_product
    from polyinj.lipschitz.baselines import sampled_lipschitz as sampled_lipschitz
    from polyinj.lipschitz.constant import LipschitzConstant as LipschitzConstant
    from polyinj.lipschitz.constant import lipschitz_constant as lipschitz_constant
    from polyinj.lipschitz.interpolate import Interpolant as Interpolant
    from polyinj.lipschitz.interpolate import SphereData as SphereData
    from polyinj.lipschitz.interpolate import cap_constant as cap_constant
    from polyinj.lipschitz.interpolate import interpolate as interpolate
    from polyinj.lipschitz.interpolate import random_sphere_data as random_sphere_data
    from polyinj.networks.files import read_network as read_network
    from polyinj.networks.network import Network as Network
    from polyinj.networks.network import NetworkLayer as NetworkLayer
    from polyinj.plots.arrangement import plot_witness_set as plot_witness_set
    from polyinj.plots.relaxation import plot_relaxation_profiles as plot_relaxation_profiles
    from polyinj.propagation.power_law import local_exponents as local_exponents
    from polyinj.propagation.propagate import Propagation as Propagation
    from polyinj.propagation.propagate import propagate as propagate
    from polyinj.propagation.random_network import GivenNetwork as GivenNetwork
    from polyinj.propagation.random_network import RandomNetwork as RandomNetwork
    from polyinj.relaxation.exact_range import ExactRange as ExactRange
    from polyinj.relaxation.exact_range import exact_range as exact_range
    from polyinj.relaxation.network_bounds import NetworkBounds as NetworkBounds
    from polyinj.relaxation.network_bounds import bound_network as bound_network
    from polyinj.relaxation.profile import RelaxationProfile as RelaxationProfile
    from polyinj.relaxation.profile import relaxation_profile as relaxation_profile
    from polyinj.relaxation.rules import Relaxation as Relaxation
    from polyinj.simulation.ensembles import GaussianEnsemble as GaussianEnsemble
    from polyinj.simulation.ensembles import OrthonormalEnsemble as OrthonormalEnsemble
    from polyinj.simulation.ensembles import RademacherEnsemble as RademacherEnsemble
    from polyinj.simulation.ensembles import ResampledRowsEnsemble as ResampledRowsEnsemble
    from polyinj.simulation.ensembles import SparseGaussianEnsemble as SparseGaussianEnsemble
    from polyinj.simulation.ensembles import SphereEnsemble as SphereEnsemble
    from polyinj.simulation.ensembles import StudentEnsemble as StudentEnsemble
    from polyinj.simulation.estimate import Simulation as Simulation
    from polyinj.simulation.estimate import simulate as simulate
    from polyinj.simulation.store.reader import StoreReader as StoreReader
    from polyinj.simulation.store.store import Store as Store
    from polyinj.studies.algorithmic_threshold import WitnessSweep as WitnessSweep
    from polyinj.studies.algorithmic_threshold import estimate_witnesses as estimate_witnesses
    from polyinj.studies.angle_injectivity import AngleInjectivity as AngleInjectivity
    from polyinj.studies.angle_injectivity import (
        relate_angles_to_injectivity as relate_angles_to_injectivity,
    )
    from polyinj.studies.deep_transition import DeepTransition as DeepTransition
    from polyinj.studies.deep_transition import estimate_deep_transition as estimate_deep_transition
    from polyinj.studies.relaxation import RelaxationStudy as RelaxationStudy
    from polyinj.studies.relaxation import study_relaxations as study_relaxations
    from polyinj.studies.robustness import RobustnessStudy as RobustnessStudy
    from polyinj.studies.robustness import estimate_robustness as estimate_robustness
    from polyinj.studies.transition import Transition as Transition
    from polyinj.studies.transition_runs import estimate_transition as estimate_transition
    from polyinj.studies.transition_runs import locate_transition as locate_transition
    from polyinj.theory.bounds import gordon_bound as gordon_bound
    from polyinj.theory.bounds import sufficient_width as sufficient_width
    from polyinj.theory.crossing import euler_crossing as euler_crossing
    from polyinj.theory.deep import deep_sufficient_expansivity as deep_sufficient_expansivity
    from polyinj.theory.deep import deep_sufficient_width as deep_sufficient_width
    from polyinj.theory.euler import euler_rate as euler_rate
    from polyinj.theory.euler import exact_noninjectivity_probability as exact_noninjectivity_probability
    from polyinj.theory.euler import expected_euler_characteristic as expected_euler_characteristic
    from polyinj.theory.euler import expected_face_counts as expected_face_counts
    from polyinj.theory.euler import log_expected_euler_characteristic as log_expected_euler_characteristic
    from polyinj.theory.euler import noninjectivity_bound as noninjectivity_bound
    from polyinj.theory.finite_width import jakub_nica_rate as jakub_nica_rate
    from polyinj.theory.finite_width import small_angle_step as small_angle_step
    from polyinj.theory.intrinsic import conic_intrinsic_volumes as conic_intrinsic_volumes
    from polyinj.theory.propagation import arc_cosine_map as arc_cosine_map
    from polyinj.theory.propagation import cosine_sequence as cosine_sequence
    from polyinj.theory.propagation import mean_field as mean_field
    from polyinj.theory.relaxation import ibp_tightness as ibp_tightness
    from polyinj.theory.replica import full_rsb_threshold as full_rsb_threshold
    from polyinj.theory.replica import replica_energy as replica_energy
    from polyinj.theory.replica import replica_threshold as replica_threshold
    from polyinj.theory.thresholds import enclose_threshold as enclose_threshold
    from polyinj.theory.thresholds import euler_threshold as euler_threshold
    from polyinj.theory.thresholds import first_moment_threshold as first_moment_threshold
    from polyinj.theory.thresholds import gordon_threshold as gordon_threshold
    from polyinj.theory.thresholds import known_thresholds as known_thresholds
    from polyinj.theory.thresholds import mean_direction_threshold as mean_direction_threshold
    from polyinj.theory.thresholds import minimal_cells_threshold as minimal_cells_threshold

# Names are loaded on first use, so that the checker of certificates can be imported without the search (PEP 562).
_HOMES = {
    "polyinj.errors": [
        "BudgetExceeded",
        "CertificateError",
        "InputError",
        "InternalError",
        "PolyinjError",
        "StoreError",
    ],
    "polyinj.geometry.arrangement": ["Arrangement"],
    "polyinj.geometry.cone": ["Cone"],
    "polyinj.geometry.orthants": ["OrthantUnion"],
    "polyinj.certificates.layer_certificate": [
        "Collision",
        "InjectivityProof",
        "load_certificate",
        "verify_certificate",
    ],
    "polyinj.injectivity.decide": ["decide_injectivity"],
    "polyinj.injectivity.decision": ["Decision", "Verdict"],
    "polyinj.injectivity.depth": ["DepthResult", "tukey_depth"],
    "polyinj.certificates.domain": ["Ball", "Box"],
    "polyinj.injectivity.invert": ["active_rank", "inverse_lipschitz", "reconstruct"],
    "polyinj.injectivity.local_search": ["Witness", "find_witness"],
    "polyinj.deep.check": ["NetworkCheck", "check_network"],
    "polyinj.relaxation.exact_range": ["ExactRange", "exact_range"],
    "polyinj.networks.network": ["Network", "NetworkLayer"],
    "polyinj.relaxation.network_bounds": ["NetworkBounds", "bound_network"],
    "polyinj.relaxation.profile": ["RelaxationProfile", "relaxation_profile"],
    "polyinj.relaxation.rules": ["Relaxation"],
    "polyinj.networks.files": ["read_network"],
    "polyinj.certificates.network_certificate": ["NetworkCollision", "NetworkProof", "load_network_certificate"],
    "polyinj.deep.decide": ["NetworkDecision", "decide_network_injectivity"],
    "polyinj.studies.deep_transition": ["DeepTransition", "estimate_deep_transition"],
    "polyinj.lipschitz.interpolate": [
        "Interpolant",
        "SphereData",
        "cap_constant",
        "interpolate",
        "random_sphere_data",
    ],
    "polyinj.lipschitz.baselines": ["norm_product", "sampled_lipschitz"],
    "polyinj.studies.robustness": ["RobustnessStudy", "estimate_robustness"],
    "polyinj.lipschitz.constant": ["LipschitzConstant", "lipschitz_constant"],
    "polyinj.studies.angle_injectivity": ["AngleInjectivity", "relate_angles_to_injectivity"],
    "polyinj.propagation.power_law": ["local_exponents"],
    "polyinj.propagation.propagate": ["Propagation", "propagate"],
    "polyinj.propagation.random_network": ["GivenNetwork", "RandomNetwork"],
    "polyinj.studies.relaxation": ["RelaxationStudy", "study_relaxations"],
    "polyinj.plots.arrangement": ["plot_witness_set"],
    "polyinj.plots.relaxation": ["plot_relaxation_profiles"],
    "polyinj.simulation.ensembles": [
        "GaussianEnsemble",
        "OrthonormalEnsemble",
        "RademacherEnsemble",
        "ResampledRowsEnsemble",
        "SparseGaussianEnsemble",
        "SphereEnsemble",
        "StudentEnsemble",
    ],
    "polyinj.simulation.estimate": ["Simulation", "simulate"],
    "polyinj.simulation.store.store": ["Store"],
    "polyinj.simulation.store.reader": ["StoreReader"],
    "polyinj.studies.transition": ["Transition"],
    "polyinj.studies.transition_runs": ["estimate_transition", "locate_transition"],
    "polyinj.studies.algorithmic_threshold": ["WitnessSweep", "estimate_witnesses"],
    "polyinj.theory.bounds": ["gordon_bound", "sufficient_width"],
    "polyinj.theory.crossing": ["euler_crossing"],
    "polyinj.theory.deep": ["deep_sufficient_expansivity", "deep_sufficient_width"],
    "polyinj.theory.euler": [
        "euler_rate",
        "exact_noninjectivity_probability",
        "expected_euler_characteristic",
        "expected_face_counts",
        "log_expected_euler_characteristic",
        "noninjectivity_bound",
    ],
    "polyinj.theory.intrinsic": ["conic_intrinsic_volumes"],
    "polyinj.theory.finite_width": ["jakub_nica_rate", "small_angle_step"],
    "polyinj.theory.propagation": ["arc_cosine_map", "cosine_sequence", "mean_field"],
    "polyinj.theory.relaxation": ["ibp_tightness"],
    "polyinj.theory.replica": ["full_rsb_threshold", "replica_energy", "replica_threshold"],
    "polyinj.theory.thresholds": [
        "enclose_threshold",
        "euler_threshold",
        "first_moment_threshold",
        "gordon_threshold",
        "known_thresholds",
        "mean_direction_threshold",
        "minimal_cells_threshold",
    ],
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = ["__version__", *sorted(_HOME_OF)]


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"module 'polyinj' has no attribute {name!r}")
    return getattr(import_module(_HOME_OF[name]), name)


def __dir__() -> list[str]:
    return __all__
