#include "merge/head.hpp"

#include <cmath>

#include "base/error.hpp"
#include "merge/fleet_moments.hpp"

namespace fleet {
namespace {

/// The fleet's summed loss and its gradient, head after head.
class FleetHead {
 public:
  FleetHead(std::span<const std::unique_ptr<HeadData>> parts, const Comm& comm) : comm_(comm), parts_(parts) {
    for (const auto& part : parts) curvature_ = std::max(curvature_, part->curvature());
    curvature_ = comm.max(curvature_);
  }

  [[nodiscard]] double curvature() const { return curvature_; }

  /// Overwrites `gradient` with that of the summed loss at `head`.
  void add_up(const RowMatrix& head, RowMatrix& gradient) {
    std::vector<RowMatrix> gradients;
    comm_.together([&] {
      for (const auto& part : parts_) {
        part->add_gradient(head, gradients.emplace_back(RowMatrix::Zero(head.rows(), head.cols())));
      }
    });
    std::vector<Comm::Term> terms;
    for (const RowMatrix& g : gradients) terms.push_back({{g.data(), static_cast<std::size_t>(g.size())}, 1.0});
    comm_.ordered_sum(terms, {gradient.data(), static_cast<std::size_t>(gradient.size())});
  }

 private:
  const Comm& comm_;
  std::span<const std::unique_ptr<HeadData>> parts_;
  double curvature_ = 0.0;
};

}  // namespace

RowMatrix solve_head(const HeadOptions& options, std::span<const std::unique_ptr<HeadData>> parts,
                     const MapMoments& moments, RowMatrix head, const Comm& comm) {
  FleetHead fleet(parts, comm);
  const RowMatrix start = head;
  RidgedMoments hessian;  // the majoriser's: c G + r I; at the root
  comm.together([&] {
    if (!comm.is_root()) return;
    hessian = add_ridge(fleet.curvature() * moments.inputs.cast<double>(), options.ridge, moments.samples);
  });

  RowMatrix at = start;  // where the gradient is taken, ahead of the iterate
  RowMatrix gradient(start.rows(), start.cols());
  double momentum = 1.0;
  for (int k = 0; k < options.iterations; ++k) {
    fleet.add_up(at, gradient);
    comm.together([&] {
      if (!comm.is_root()) return;
      const Eigen::MatrixXd slope =
          (gradient.cast<double>() + hessian.weight * (at - start).cast<double>()).transpose();
      const RowMatrix next = at - RowMatrix(hessian.factor.solve(slope).transpose().cast<float>());
      require(next.allFinite(), "solving the last layer: step ", k, " is not finite");
      const bool uphill = (at - next).cwiseProduct(next - head).sum() > 0.0F;
      const double grown = uphill ? 1.0 : 0.5 * (1.0 + std::sqrt(1.0 + 4.0 * momentum * momentum));
      const double ahead = uphill ? 0.0 : (momentum - 1.0) / grown;
      at = next + static_cast<float>(ahead) * (next - head);
      head = next;
      momentum = grown;
    });
    comm.broadcast(std::span<float>(at.data(), static_cast<std::size_t>(at.size())));
  }
  comm.broadcast(std::span<float>(head.data(), static_cast<std::size_t>(head.size())));
  return head;
}

}  // namespace fleet
