#include "lqg/demonstrations.hpp"

namespace fleet {
namespace {

using Eigen::Index;
using Eigen::VectorXd;

/// A draw of covariance root root^T.
VectorXd noise(const Eigen::MatrixXd& root, RandomStream& stream) {
  VectorXd draw(root.cols());
  for (double& value : draw) value = stream.normal();
  return root * draw;
}

}  // namespace

Demonstrations Demonstrations::chosen(std::span<const int> which) const {
  const Index count = static_cast<Index>(which.size());
  const Index horizon = steps() / trajectories;
  Demonstrations set{static_cast<int>(count), Eigen::MatrixXd(observations.rows(), horizon * count),
                     Eigen::MatrixXd(actions.rows(), horizon * count)};
  for (Index t = 0; t < horizon; ++t) {
    for (Index k = 0; k < count; ++k) {
      const Index from = t * trajectories + which[static_cast<std::size_t>(k)];
      set.observations.col(t * count + k) = observations.col(from);
      set.actions.col(t * count + k) = actions.col(from);
    }
  }
  return set;
}

Demonstrations pooled(std::span<const Demonstrations> sets) {
  Demonstrations all;
  for (const Demonstrations& set : sets) all.trajectories += set.trajectories;
  const Index horizon = sets.front().steps() / sets.front().trajectories;
  all.observations.resize(sets.front().observations.rows(), horizon * all.trajectories);
  all.actions.resize(sets.front().actions.rows(), horizon * all.trajectories);
  Index to = 0;
  for (const Demonstrations& set : sets) {
    for (Index t = 0; t < horizon; ++t) {
      const Index column = t * all.trajectories + to;
      all.observations.middleCols(column, set.trajectories) =
          set.observations.middleCols(t * set.trajectories, set.trajectories);
      all.actions.middleCols(column, set.trajectories) = set.actions.middleCols(t * set.trajectories, set.trajectories);
    }
    to += set.trajectories;
  }
  return all;
}

Simulator::Simulator(LinearSystem system)
    : system_(std::move(system)),
      initial_root_(square_root(system_.initial)),
      process_root_(square_root(system_.process)),
      measurement_root_(square_root(system_.measurement)) {}

void Simulator::roll_out(const LinearPolicy& policy, int horizon, RandomStream& stream, const Observer& observe) const {
  VectorXd x = noise(initial_root_, stream);
  VectorXd estimate = VectorXd::Zero(policy.a.rows());
  for (int t = 0; t < horizon; ++t) {
    const VectorXd y = system_.c * x + noise(measurement_root_, stream);
    estimate = (policy.a * estimate + policy.b * y).eval();
    const VectorXd u = policy.c * estimate;
    observe(t, x, y, u);
    x = (system_.a * x + system_.b * u + noise(process_root_, stream)).eval();
  }
}

Demonstrations Simulator::demonstrate(std::span<const LinearPolicy* const> experts, int horizon,
                                      std::span<RandomStream> streams) const {
  const auto count = static_cast<Index>(experts.size());
  Demonstrations set{static_cast<int>(count), Eigen::MatrixXd(system_.observations(), horizon * count),
                     Eigen::MatrixXd(system_.inputs(), horizon * count)};
  for (Index k = 0; k < count; ++k) {
    const auto index = static_cast<std::size_t>(k);
    roll_out(*experts[index], horizon, streams[index],
             [&](int t, const VectorXd& /*x*/, const VectorXd& y, const VectorXd& u) {
               set.observations.col(t * count + k) = y;
               set.actions.col(t * count + k) = u;
             });
  }
  return set;
}

}  // namespace fleet
