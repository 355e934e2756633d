// A last layer's part in a squared error, which its moments say all about.
#pragma once

#include <utility>

#include "merge/merger.hpp"

namespace fleet {

/// curvature / 2 times the sum of |W x - t|^2: a robot's own loss, or what is remembered of one that is away.
class QuadraticHead final : public HeadData {
 public:
  QuadraticHead(MapMoments moments, double curvature) : moments_(std::move(moments)), curvature_(curvature) {}

  MapMoments moments() const override { return moments_; }

  void change_basis(const Eigen::MatrixXd& lower) override {
    const auto factor = lower.triangularView<Eigen::Lower>();
    const Eigen::MatrixXd half = factor.solve(Eigen::MatrixXd(moments_.inputs));
    moments_.inputs = factor.solve(Eigen::MatrixXd(half.transpose()));
    moments_.targets = factor.solve(Eigen::MatrixXd(moments_.targets.transpose())).transpose();
  }
  void add_gradient(const RowMatrix& head, RowMatrix& gradient) override {
    gradient += (curvature_ * (head.cast<double>() * moments_.inputs - moments_.targets)).cast<float>();
  }
  double curvature() const override { return curvature_; }
  bool is_quadratic() const override { return true; }

 private:
  MapMoments moments_;
  double curvature_;
};

}  // namespace fleet
