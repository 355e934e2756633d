// A robot's own data in another process: what merging methods ask, as requests of docs/protocol.md.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "external/conversation.hpp"
#include "merge/merger.hpp"

namespace fleet {

/// What the robots of one cell have in common, on this rank. Outlives all that refer to it.
struct ExternalCell {
  std::shared_ptr<Conversation> talk;
  std::int64_t number = 0;  ///< of the cell, in messages
  std::uint64_t seed = 0;
  int batch = 0;  ///< of short runs
  const SymmetrySpec* symmetry = nullptr;
  std::span<const AffineMap> maps;
  bool quadratic = false;   ///< the loss is a squared error
  bool judges = false;      ///< robots answer held_out_score() and held_out_loss()
  bool has_states = false;  ///< robots can be saved and loaded

  /// Asks about this cell.
  Answer ask(std::string_view call, Json fields) const;
  /// Bytes of the weights.
  [[nodiscard]] std::size_t bytes() const { return symmetry->layout()->size() * sizeof(float); }
};

/// Weights copied to a place where the other process reads them.
class SentWeights {
 public:
  SentWeights(const ExternalCell& cell, const ParamVector& weights);
  [[nodiscard]] std::size_t offset() const { return place_.offset(); }

 private:
  Place place_;
};

/// Answers that are not finite are Errors that name the robot.
class ExternalData : public LocalData {
 public:
  /// Of robot `index`, which has the number `handle` in messages; messages to the user call it `name`, say "robot 3".
  ExternalData(const ExternalCell& cell, int index, std::int64_t handle, std::string name)
      : cell_(cell), index_(index), handle_(handle), name_(std::move(name)) {}

  double loss_gradient(const ParamVector& at, int batch, RandomStream& stream, ParamVector& gradient) override;
  Score held_out_score(const ParamVector& at) override { return score("held_out_score", at); }
  Score held_out_loss(const ParamVector& at) override { return score("held_out_loss", at); }
  [[nodiscard]] bool is_quadratic() const override { return cell_.quadratic; }
  [[nodiscard]] bool judges() const override { return cell_.judges; }
  MapMoments map_moments(const ParamVector& features, const ParamVector& targets, std::size_t map) override;
  OutputSums output_sums(const ParamVector& at, std::size_t map) override;
  std::unique_ptr<HeadData> head_data(const ParamVector& body) override;
  Score trials(const ParamVector& at, int episodes, std::uint64_t draw) override;
  /// Adam's steps are taken here, along gradients of ExternalCell::batch samples that the other process is asked for.
  ParamVector take_steps(const ParamVector& start, const LocalSteps& steps, std::uint64_t draw,
                         const GradientTerm* term) override;
  Curvature curvature(const ParamVector& at, std::uint64_t draw) override;

 private:
  [[nodiscard]] Score score(std::string_view call, const ParamVector& at, Json fields = Json::object()) const;

  const ExternalCell& cell_;
  int index_;
  std::int64_t handle_;
  std::string name_;
};

}  // namespace fleet
