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
  /// Of the robot with this number in messages; messages to the user call it `name`, say "robot 3".
  ExternalData(const ExternalCell& cell, std::int64_t handle, std::string name)
      : cell_(cell), handle_(handle), name_(std::move(name)) {}

  double loss_gradient(const ParamVector& at, int batch, RandomStream& stream, ParamVector& gradient) override;
  Score held_out_score(const ParamVector& at) override { return score("held_out_score", at); }
  Score held_out_loss(const ParamVector& at) override { return score("held_out_loss", at); }
  [[nodiscard]] bool is_quadratic() const override { return cell_.quadratic; }
  [[nodiscard]] bool judges() const override { return cell_.judges; }
  MapMoments map_moments(const ParamVector& features, const ParamVector& targets, std::size_t map) override;
  std::unique_ptr<HeadData> head_data(const ParamVector& body) override;

 private:
  [[nodiscard]] Score score(std::string_view call, const ParamVector& at) const;

  const ExternalCell& cell_;
  std::int64_t handle_;
  std::string name_;
};

}  // namespace fleet
