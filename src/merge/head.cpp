#include "merge/head.hpp"

#include <Eigen/Cholesky>
#include <cmath>

#include "base/error.hpp"

namespace fleet {
namespace {

/// The participants' summed loss and its gradient, head after head.
class FleetHead {
 public:
  FleetHead(const MergeInput& input, const ParamVector& body, const Comm& comm) : comm_(comm) {
    std::vector<double> curvatures;
    comm.together([&] {
      for (const MergeRow& row : input.rows) {
        if (!row.participates) continue;
        parts_.push_back(row.data->head_data(body));
        curvatures.push_back(parts_.back()->curvature());
      }
    });
    for (const double curvature : comm.all_gather(curvatures)) curvature_ = std::max(curvature_, curvature);
  }

  [[nodiscard]] double curvature() const { return curvature_; }

  /// Mean loss at `head`; `gradient` is overwritten with that of the sum.
  double loss_gradient(const RowMatrix& head, RowMatrix& gradient) {
    std::vector<RowMatrix> gradients;
    std::vector<double> losses;
    comm_.together([&] {
      for (const auto& part : parts_) {
        RowMatrix& mine = gradients.emplace_back(RowMatrix::Zero(head.rows(), head.cols()));
        const Score score = part->add_loss_gradient(head, mine);
        losses.push_back(score.sum);
        losses.push_back(score.samples);
      }
    });
    std::vector<Comm::Term> terms;
    for (const RowMatrix& g : gradients) terms.push_back({{g.data(), static_cast<std::size_t>(g.size())}, 1.0});
    comm_.ordered_sum(terms, {gradient.data(), static_cast<std::size_t>(gradient.size())});
    Score total;
    const std::vector<double> all = comm_.all_gather(losses);
    for (std::size_t i = 0; i < all.size(); i += 2) {
      total.sum += all[i];
      total.samples += all[i + 1];
    }
    return total.sum / total.samples;
  }

 private:
  const Comm& comm_;
  std::vector<std::unique_ptr<HeadData>> parts_;
  double curvature_ = 0.0;
};

}  // namespace

std::vector<double> solve_head(const HeadOptions& options, const MergeInput& input, const MapMoments& moments,
                               ParamVector& weights, const Comm& comm) {
  const AffineMap& map = input.maps.back();
  FleetHead fleet(input, weights, comm);
  const RowMatrix start = map.matrix(weights);
  // The majoriser's Hessian: c G + r I.
  const double pull = fleet.curvature() * options.ridge * static_cast<double>(moments.inputs.trace()) /
                      static_cast<double>(moments.inputs.rows());
  Eigen::LLT<Eigen::MatrixXd> factor;
  comm.together([&] {
    if (!comm.is_root()) return;
    Eigen::MatrixXd hessian = fleet.curvature() * moments.inputs.cast<double>();
    hessian.diagonal().array() += pull;
    factor.compute(hessian);
    require(factor.info() == Eigen::Success, "solving the last layer: the second moments of ", moments.samples,
            " samples are not positive definite with a ridge of ", options.ridge, "; a larger one helps");
  });

  RowMatrix at = start;    // where the gradient is taken, ahead of the iterate
  RowMatrix head = start;  // the iterate
  RowMatrix gradient(start.rows(), start.cols());
  std::vector<double> losses;
  double momentum = 1.0;
  for (int k = 0; k < options.iterations; ++k) {
    losses.push_back(fleet.loss_gradient(at, gradient));
    comm.together([&] {
      if (!comm.is_root()) return;
      const Eigen::MatrixXd slope = (gradient.cast<double>() + pull * (at - start).cast<double>()).transpose();
      const RowMatrix next = at - RowMatrix(factor.solve(slope).transpose().cast<float>());
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
  map.assign(head, weights);
  return losses;
}

}  // namespace fleet
