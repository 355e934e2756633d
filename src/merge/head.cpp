#include "merge/head.hpp"

#include <cmath>

#include "base/error.hpp"
#include "merge/consensus.hpp"
#include "merge/fleet_moments.hpp"

namespace fleet {
namespace {

constexpr double kConverged = 1e-6;  ///< a step that moves the head by less is the last

/// The fleet's summed loss and its gradient, head after head.
class FleetHead {
 public:
  FleetHead(std::span<const std::unique_ptr<HeadData>> parts, const Comm& comm) : comm_(comm), parts_(parts) {
    for (const auto& part : parts) curvature_ = std::max(curvature_, part->curvature());
    curvature_ = comm.max(curvature_);
  }

  [[nodiscard]] double curvature() const { return curvature_; }

  void change_basis(const Eigen::MatrixXd& lower) {
    comm_.together([&] {
      for (const auto& part : parts_) part->change_basis(lower);
    });
  }

  /// Overwrites `gradient` with that of the summed loss at `head`.
  void add_up(const RowMatrix& head, RowMatrix& gradient) {
    std::vector<RowMatrix> gradients;
    comm_.together([&] {
      for (const auto& part : parts_) {
        part->add_gradient(head, gradients.emplace_back(RowMatrix::Zero(head.rows(), head.cols())));
      }
    });
    std::vector<Comm::Term> terms;
    for (const RowMatrix& g : gradients) terms.push_back({flat(g), 1.0});
    comm_.ordered_sum(terms, flat(gradient));
  }

 private:
  const Comm& comm_;
  std::span<const std::unique_ptr<HeadData>> parts_;
  double curvature_ = 0.0;
};

}  // namespace

RowMatrix solve_head(const HeadOptions& options, const MergeInput& input,
                     std::span<const std::unique_ptr<HeadData>> parts, const MapMoments& moments, const RowMatrix& head,
                     const Comm& comm) {
  const std::uint64_t head_bytes = sizeof(float) * static_cast<std::size_t>(head.size());
  FleetHead fleet(parts, comm);
  Eigen::MatrixXd lower = Eigen::MatrixXd::Zero(head.cols(), head.cols());  // L L^T = c G + r I
  Eigen::MatrixXd pull;                                                     // r L^-1 L^-T, at the root
  comm.together([&] {
    if (!comm.is_root()) return;
    const RidgedMoments hessian = add_ridge(fleet.curvature() * moments.inputs, options.ridge, moments.samples);
    lower = hessian.factor.matrixL();
    const Eigen::MatrixXd inverse =
        lower.triangularView<Eigen::Lower>().solve(Eigen::MatrixXd::Identity(lower.rows(), lower.cols()));
    pull = hessian.weight * inverse * inverse.transpose();
  });
  comm.broadcast(flat(lower));
  charge(input, Cargo::kMoments, {.received = 2 * symmetric_bytes(head.cols())});  // in double precision
  fleet.change_basis(lower);

  // Of a head W, in the new basis W L.
  const RowMatrix start = (head.cast<double>() * lower.triangularView<Eigen::Lower>()).cast<float>();
  RowMatrix iterate = start;
  RowMatrix at = start;  // where the gradient is taken, ahead of the iterate
  RowMatrix gradient(start.rows(), start.cols());
  double momentum = 1.0;
  double step = 1.0;  // relative to the head
  for (int k = 0; k < options.iterations && step > kConverged; ++k) {
    fleet.add_up(at, gradient);
    comm.together([&] {
      if (!comm.is_root()) return;
      const RowMatrix next = at - gradient - ((at - start).cast<double>() * pull).cast<float>();
      require(next.allFinite(), "solving the last layer: step ", k, " is not finite");
      const bool uphill = (at - next).cwiseProduct(next - iterate).sum() > 0.0F;
      const double grown = uphill ? 1.0 : 0.5 * (1.0 + std::sqrt(1.0 + 4.0 * momentum * momentum));
      const double ahead = uphill ? 0.0 : (momentum - 1.0) / grown;
      at = next + static_cast<float>(ahead) * (next - iterate);
      step = (next - iterate).norm() / next.norm();
      iterate = next;
      momentum = grown;
    });
    comm.broadcast(flat(at));
    comm.broadcast(std::span(&step, 1));
    charge(input, Cargo::kGradients, {.sent = head_bytes});
    charge(input, Cargo::kWeights, {.received = head_bytes});
  }
  RowMatrix solved = lower.triangularView<Eigen::Lower>()
                         .transpose()
                         .solve(iterate.cast<double>().transpose())
                         .transpose()
                         .cast<float>();
  comm.broadcast(flat(solved));
  charge(input, Cargo::kWeights, {.received = head_bytes});
  return solved;
}

}  // namespace fleet
