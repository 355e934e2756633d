// One network of every kind, small: what tests over all architectures run on.
#pragma once

#include <gtest/gtest.h>

#include <ostream>
#include <string>
#include <vector>

#include "torch/models.hpp"

namespace fleet {

struct NetworkCase {
  std::string name;
  Settings settings;
  NetworkShape shape{.inputs = 12, .outputs = 4};
};
inline void PrintTo(const NetworkCase& tested, std::ostream* out) {
  *out << tested.name;
}
inline std::string name_of(const testing::TestParamInfo<NetworkCase>& tested) {
  return tested.param.name;
}

inline Setting text(const std::string& value) {
  return {Value(value), {}};
}
inline Setting number(int value) {
  return {Value(std::int64_t{value}), {}};
}
inline Setting widths(const std::vector<int>& values) {
  Value::List list;
  for (const int value : values) list.emplace_back(std::int64_t{value});
  return {Value(list), {}};
}

inline NetworkCase mlp(const std::string& name, const std::vector<int>& hidden, const std::string& activation,
                       const std::string& norm = "none") {
  return {name, {{"model.hidden", widths(hidden)}, {"model.activation", text(activation)}, {"model.norm", text(norm)}}};
}

inline NetworkCase cnn(const std::string& name, const std::vector<int>& hidden, const std::string& norm) {
  return {name,
          {{"model.kind", text("cnn")},
           {"model.channels", widths({8, 6})},
           {"model.hidden", widths(hidden)},
           {"model.norm", text(norm)}},
          {.inputs = 72, .outputs = 4, .input = NetworkShape::Input::kImage, .height = 9, .width = 8}};
}

/// Images of two channels, odd in height, that are halved once.
inline NetworkCase resnet(const std::string& norm) {
  NetworkCase tested{"resnet_" + norm,
                     {{"model.kind", text("resnet")}, {"model.channels", widths({6, 4})}, {"model.norm", text(norm)}},
                     {.inputs = 2 * 7 * 6,
                      .outputs = 4,
                      .input = NetworkShape::Input::kImage,
                      .channels = 2,
                      .height = 7,
                      .width = 6}};
  if (norm == "group") tested.settings["model.norm_groups"] = number(2);
  return tested;
}

inline constexpr NetworkShape kText{.inputs = 7, .outputs = 7, .input = NetworkShape::Input::kText, .steps = 6};

inline NetworkCase recurrent(const std::string& kind, const std::string& name, const std::vector<int>& hidden,
                             int embedding) {
  return {name,
          {{"model.kind", text(kind)}, {"model.hidden", widths(hidden)}, {"model.embedding", number(embedding)}},
          kText};
}

inline constexpr NetworkShape kVectors{.inputs = 5, .outputs = 4, .input = NetworkShape::Input::kSequence, .steps = 6};

/// The same for a sequence of vectors.
inline NetworkCase of_vectors(const NetworkCase& of_text) {
  NetworkCase tested = of_text;
  tested.name += "_of_vectors";
  tested.settings.erase("model.embedding");
  tested.shape = kVectors;
  return tested;
}

/// The same for a sequence of clouds: 3 points of 4 numbers, and 2 more.
inline NetworkCase of_clouds(const NetworkCase& of_text) {
  NetworkCase tested = of_vectors(of_text);
  tested.name = of_text.name + "_of_clouds";
  tested.settings["model.points"] = widths({7, 5});
  tested.shape.inputs = 14;
  tested.shape.channels = 4;
  tested.shape.points = 3;
  return tested;
}

inline NetworkCase pointnet(const std::string& name, const std::vector<int>& points, const std::vector<int>& hidden,
                            int others) {
  return {name,
          {{"model.kind", text("pointnet")}, {"model.points", widths(points)}, {"model.hidden", widths(hidden)}},
          {.inputs = 5 * 4 + others, .outputs = 4, .input = NetworkShape::Input::kPoints, .channels = 4, .points = 5}};
}

inline NetworkCase relu_rnn() {
  NetworkCase rnn = recurrent("rnn", "rnn_relu", {9}, 0);
  rnn.settings["model.activation"] = text("relu");
  return rnn;
}

/// The same, where alignments may negate units of tanh as well.
inline NetworkCase signed_units(NetworkCase tested) {
  tested.name += "_signed";
  tested.settings["model.sign_flips"] = {Value(true), {}};
  return tested;
}

inline NetworkCase transformer() {
  return {"transformer",
          {{"model.kind", text("transformer")}, {"model.width", number(12)}, {"model.heads", number(3)}},
          kText};
}

/// Two bodies, of states of 3 and 2 numbers and actions of 2 and 1.
inline NetworkCase decision_transformer() {
  return {"decision_transformer",
          {{"model.kind", text("decision-transformer")}, {"model.width", number(12)}, {"model.heads", number(3)}},
          {.inputs = 3 * 2 + 5 + 3 + 1,
           .outputs = 3,
           .input = NetworkShape::Input::kTrajectory,
           .steps = 6,
           .bodies = 2,
           .states = 5,
           .longest = 9}};
}

inline const auto kPerceptrons =
    testing::Values(mlp("linear", {}, "relu"), mlp("one_layer", {8}, "relu"), mlp("deep", {9, 7, 5, 3}, "relu"),
                    mlp("tanh", {16, 16}, "tanh"), signed_units(mlp("tanh", {16, 16}, "tanh")),
                    mlp("mlp_batch_norm", {8, 6}, "relu", "batch"), mlp("mlp_layer_norm", {8, 6}, "tanh", "layer"));
inline const auto kConvolutional = testing::Values(
    cnn("cnn", {5}, "none"), cnn("cnn_flat", {}, "none"), cnn("cnn_batch_norm", {5}, "batch"),
    cnn("cnn_layer_norm", {5}, "layer"), resnet("none"), resnet("batch"), resnet("layer"), resnet("group"));
inline const auto kRecurrent =
    testing::Values(recurrent("rnn", "rnn_tanh", {9}, 3), signed_units(recurrent("rnn", "rnn_tanh", {9}, 3)),
                    relu_rnn(), recurrent("lstm", "lstm", {6, 5}, 3), recurrent("lstm", "lstm_one_hot", {6}, 0),
                    recurrent("gru", "gru", {6, 5}, 3), recurrent("gru", "gru_one_hot", {6}, 0));
inline const auto kClouds =
    testing::Values(pointnet("pointnet", {6, 9}, {7}, 0), pointnet("pointnet_and_more", {6}, {}, 2));
inline const auto kTransformers = testing::Values(transformer());
inline const auto kRecurrentPolicies =
    testing::Values(of_vectors(recurrent("rnn", "rnn", {9}, 0)), of_vectors(recurrent("lstm", "lstm", {6, 5}, 0)),
                    of_vectors(recurrent("gru", "gru", {6, 5}, 0)), of_clouds(recurrent("lstm", "lstm", {6}, 0)));
inline const auto kTransformerPolicies = testing::Values(of_vectors(transformer()), of_clouds(transformer()));
inline const auto kDecisionTransformers = testing::Values(decision_transformer());

}  // namespace fleet
