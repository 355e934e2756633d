#include "lqg/options.hpp"

#include <Eigen/LU>
#include <array>

#include "lqg/matrix_equations.hpp"
#include "train/shared_keys.hpp"

namespace fleet {
namespace {

using Eigen::Index;
using Eigen::MatrixXd;

/// Longitudinal motion of a Boeing 747 (Hong, Moehle and Boyd, 2021).
const Rows kBoeingTransition = {
    {0.99, 0.03, -0.02, -0.32}, {0.01, 0.47, 4.7, 0.0}, {0.02, -0.06, 0.40, 0.0}, {0.01, -0.04, 0.72, 0.99}};
const Rows kBoeingInput = {{0.01, 0.99}, {-3.44, 1.66}, {-0.83, 0.44}, {-0.47, 0.25}};
/// logspace(-2, 2, 10): the tasks of the paper.
const std::vector<double> kWeights = {0.01,
                                      0.0278255940220712,
                                      0.0774263682681127,
                                      0.215443469003188,
                                      0.599484250318941,
                                      1.66810053720006,
                                      4.64158883361278,
                                      12.9154966501488,
                                      35.9381366380463,
                                      100.0};

enum class Origin { kGiven, kRandom };
constexpr std::array<std::pair<std::string_view, Origin>, 2> kOrigins{
    {{"given", Origin::kGiven}, {"random", Origin::kRandom}}};
constexpr std::array<std::pair<std::string_view, PolicyKind>, 2> kPolicies{
    {{"dynamic", PolicyKind::kDynamic}, {"static", PolicyKind::kStatic}}};
using Partition = LqgOptions::Partition;
constexpr std::array<std::pair<std::string_view, Partition>, 3> kPartitions{
    {{"per-task", Partition::kPerTask}, {"mixture", Partition::kMixture}, {"iid", Partition::kIid}}};
// Planning solves for eigenvalues, runs solve Riccati equations: what is larger takes minutes for every cell.
constexpr int kMostStates = 200;
constexpr int kMostChannels = 1000;  // inputs, and observations

constexpr std::array<std::string_view, 2> kInitializations = {"different", "common"};

MatrixXd gaussian(Index rows, Index columns, RandomStream& stream) {
  MatrixXd matrix(rows, columns);
  for (Index i = 0; i < rows; ++i) {
    for (Index j = 0; j < columns; ++j) matrix(i, j) = stream.normal();
  }
  return matrix;
}

MatrixXd to_matrix(const Rows& rows) {
  MatrixXd matrix(static_cast<Index>(rows.size()), rows.empty() ? 0 : static_cast<Index>(rows.front().size()));
  for (Index i = 0; i < matrix.rows(); ++i) {
    for (Index j = 0; j < matrix.cols(); ++j)
      matrix(i, j) = rows[static_cast<std::size_t>(i)][static_cast<std::size_t>(j)];
  }
  return matrix;
}

/// Reads matrices, and rejects what is wrong with one under the key where it was written.
class MatrixReader {
 public:
  explicit MatrixReader(SettingsReader& settings) : settings_(settings) {}

  [[nodiscard]] bool has_read(std::string_view key) const {
    return settings_.resolved().find(key) != settings_.resolved().end();
  }
  [[noreturn]] void complain(std::string_view key, const std::string& complaint) const {
    reject(key, settings_.resolved().find(key)->second, complaint);
  }

  /// rows x columns; `why` says what follows from what.
  MatrixXd read(std::string_view key, Rows rows, Index expected_rows, Index expected_columns, std::string_view why,
                Sentence about) {
    settings_.read(key, rows, about);
    const MatrixXd matrix = to_matrix(rows);
    check_size(key, matrix, expected_rows, expected_columns, why);
    return matrix;
  }

  /// size x size and positive semidefinite, or definite; a number stands for that multiple of the identity.
  MatrixXd read_positive(std::string_view key, Index size, std::string_view why, bool strictly, Sentence about) {
    Rows rows{{1.0}};
    settings_.read(key, rows, about);
    MatrixXd matrix = to_matrix(rows);
    const bool scalar = matrix.size() == 1;
    const double multiple = scalar ? matrix(0, 0) : 0.0;
    if (scalar) matrix = multiple * MatrixXd::Identity(size, size);
    check_size(key, matrix, size, size, cat(why, ", or a number for that multiple of the identity"));
    if (scalar ? multiple < 0.0 || (strictly && multiple == 0.0) : !is_positive(matrix, strictly)) {
      complain(key, cat("this must be symmetric and positive ", strictly ? "definite" : "semidefinite"));
    }
    return matrix;
  }

 private:
  void check_size(std::string_view key, const MatrixXd& matrix, Index rows, Index columns, std::string_view why) const {
    if (matrix.rows() == rows && matrix.cols() == columns) return;
    complain(key, cat("this matrix is ", matrix.rows(), " x ", matrix.cols(), ", but should be ", rows, " x ", columns,
                      ", ", why));
  }

  SettingsReader& settings_;
};

constexpr std::string_view kPerState = "a row for each state";
constexpr Sentence kTransition("A of x' = A x + B u; by default a Boeing 747's longitudinal motion.");
constexpr Sentence kInput("B of x' = A x + B u; by default a Boeing 747's.");
constexpr Sentence kObservation("C of the observation y = C x; left out: drawn for each seed.");

/// A and B, given or drawn with the spectral radius asked for.
void read_dynamics(SettingsReader& settings, MatrixReader& matrices, std::uint64_t seed, LinearSystem& system) {
  Origin source = Origin::kGiven;
  settings.read("system.source", source, Names<Origin>(kOrigins),
                "Whether the system's matrices are given, or drawn for each seed.");
  if (source == Origin::kRandom) {
    int states = 4;
    int inputs = 2;
    double radius = 0.95;
    settings.read("system.states", states, between(1, kMostStates), "States of a system that is drawn.");
    settings.read("system.inputs", inputs, between(1, kMostChannels), "Inputs of a system that is drawn.");
    settings.read("system.radius", radius, above(0), "Spectral radius of a system that is drawn.");
    RandomStream stream(seed, Purpose::kSystem, 1);
    system.a = gaussian(states, states, stream);
    system.a *= radius / spectral_radius(system.a);
    system.b = gaussian(states, inputs, stream);
    return;
  }
  Rows a = kBoeingTransition;
  settings.read("system.a", a, kTransition);
  const auto states = static_cast<Index>(a.size());
  if (states == 0) matrices.complain("system.a", "expected rows of numbers, say [[1, 0], [0, 1]]");
  if (states > kMostStates) matrices.complain("system.a", cat("expected at most ", kMostStates, " states"));
  system.a = matrices.read("system.a", a, states, states, "square", kTransition);
  Rows b = kBoeingInput;
  settings.read("system.b", b, kInput);
  system.b =
      matrices.read("system.b", b, states, b.empty() ? 1 : static_cast<Index>(b.front().size()), kPerState, kInput);
}

/// C and the noises.
void read_observation(SettingsReader& settings, MatrixReader& matrices, std::uint64_t seed, PolicyKind policy,
                      LinearSystem& system) {
  const Index states = system.states();
  Rows c;
  settings.read("system.c", c, kObservation);
  if (c.empty()) {  // drawn anew for every trial, and shared by the tasks
    int observations = 50;
    settings.read("system.observations", observations, between(1, kMostChannels), "Observations of a C that is drawn.");
    RandomStream stream(seed, Purpose::kSystem, 0);
    system.c = gaussian(observations, states, stream);
  } else {
    system.c =
        matrices.read("system.c", c, static_cast<Index>(c.size()), states, "a column for each state", kObservation);
  }
  system.process = matrices.read_positive("noise.process", states, kPerState, false,
                                          "Covariance of the noise on the state in every step.");
  system.initial = matrices.read_positive("noise.initial", states, kPerState, false, "Covariance of the first state.");
  system.measurement =
      matrices.read_positive("noise.measurement", system.observations(), "a row for each observation",
                             policy == PolicyKind::kDynamic, "Covariance of the noise on the observation.");
}

void check_system(const MatrixReader& matrices, PolicyKind policy, const LinearSystem& system) {
  const auto check = [&](std::string_view key, const MatrixXd& a, const MatrixXd& b, std::string_view complaint) {
    if (const std::optional<double> mode = uncontrollable_mode(a, b)) {
      matrices.complain(key, cat("the system's mode of modulus ", *mode, ' ', complaint));
    }
  };
  const MatrixXd dual = system.a.transpose();
  check(matrices.has_read("system.b") ? "system.b" : "system.source", system.a, system.b,
        "is not reached by any input, so that no policy stabilises the system");
  check("system.c", dual, system.c.transpose(),
        "does not show in the observations, so that no policy stabilises the system");
  if (policy == PolicyKind::kDynamic) {
    check("noise.process", system.a, square_root(system.process),
          "gets no noise, so that there is no stable filter of least variance");
    return;
  }
  if (system.observations() != system.states() || !(std::abs(system.c.determinant()) > 0.0)) {
    matrices.complain("policy.kind",
                      cat("a static policy must see the whole state: system.c would have to be an invertible ",
                          system.states(), " x ", system.states(), " matrix"));
  }
}

std::vector<QuadraticCost> read_tasks(SettingsReader& settings, MatrixReader& matrices, const LinearSystem& system) {
  std::vector<double> weights = kWeights;
  settings.read("tasks.weights", weights, above(0), "A task for each: what its cost of the state is multiplied by.");
  if (weights.empty()) matrices.complain("tasks.weights", "there must be a task");
  const MatrixXd q = matrices.read_positive("tasks.q", system.states(), kPerState, false,
                                            "Q of the cost x' Q x + u' R u, before a task multiplies it.");
  const MatrixXd r = matrices.read_positive("tasks.r", system.inputs(), "a row for each input", true,
                                            "R of the cost x' Q x + u' R u.");
  if (const std::optional<double> mode = uncontrollable_mode(system.a.transpose(), square_root(q))) {
    matrices.complain("tasks.q", cat("the cost does not see the system's mode of modulus ", *mode,
                                     ", so that the best policy would not stabilise it"));
  }
  std::vector<QuadraticCost> tasks;
  for (const double weight : weights) tasks.push_back({weight * q, r});
  return tasks;
}

void read_fleet(SettingsReader& settings, LqgOptions& options) {
  settings.read("fleet.robots", options.robots, between(1, 1e6), about::kRobots);
  settings.read("fleet.partition", options.partition, Names<Partition>(kPartitions),
                "Which task each robot works on: one of its own, drawn by Dirichlet(alpha), or drawn alike.");
  settings.read("fleet.alpha", options.alpha, above(0), about::kAlpha);
  settings.read("fleet.flipped", options.flipped, between(0, 1),
                "Share of the robots whose states have the opposite sign.");
  std::string initialization(kInitializations.front());
  settings.read("fleet.initialization", initialization, kInitializations, about::kInitialization);
  options.common_initialization = initialization == "common";
}

}  // namespace

LqgOptions read_lqg_options(SettingsReader& settings) {
  LqgOptions options;
  MatrixReader matrices(settings);
  settings.read("seed", options.seed, about::kSeed);
  settings.read("policy.kind", options.policy, Names<PolicyKind>(kPolicies),
                "Whether policies have a state of their own, or act on what they see.");
  read_dynamics(settings, matrices, options.seed, options.system);
  read_observation(settings, matrices, options.seed, options.policy, options.system);
  check_system(matrices, options.policy, options.system);
  options.tasks = read_tasks(settings, matrices, options.system);
  read_fleet(settings, options);
  settings.read("data.horizon", options.horizon, between(2, 100'000), "Steps of a trajectory, and of the cost.");
  settings.read("data.trajectories", options.trajectories, between(1, 1e6), "Trajectories of each robot.");
  settings.read("data.whiten", options.whiten, "Whether policies see whitened observations, the same for all robots.");
  settings.read("train.learning_rate", options.descent.learning_rate, above(0), "Step size of gradient descent.");
  settings.read("train.clip", options.descent.clip, above(0),
                "Largest norm of a gradient; a longer one is shortened to it.");
  settings.read("train.ridge", options.descent.ridge, at_least(0),
                "Ridge: half of it times the squared norm of the policy is added to the loss.");
  return options;
}

}  // namespace fleet
