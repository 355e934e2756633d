// A fleet whose robots live in a program of the user's own: the workload of one cell as requests of docs/protocol.md.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "external/conversation.hpp"
#include "merge/questions.hpp"
#include "train/workload.hpp"

namespace fleet {

/// What a program says of its world before anything runs.
struct ExternalFacts {
  std::string network;           ///< parse_network() reads it
  std::string identity;          ///< names by content all that decides what comes of it
  Json settings;                 ///< an object: every setting that the program knows, defaults included; null: any
  Questions offers;              ///< what its robots can be asked
  bool quadratic = false;        ///< the loss is a squared error
  bool joint = false;            ///< there is a robot with everybody's data
  bool finetune = false;         ///< there is a robot with the data that nobody trains on
  bool states = false;           ///< robots can be saved and loaded
  bool carries = false;          ///< it tells what its optimisers remember
  std::vector<bool> moments;     ///< that, one for each vector: whether it is of squares, which have no sign
  int batch = 128;               ///< samples of a gradient in short runs
  std::int64_t samples = 0;      ///< over all robots
  std::int64_t robot_bytes = 0;  ///< that a robot needs beside its weights
};

/// How a cell asks for its world.
struct ExternalRequest {
  Json settings;  ///< an object
  int robots = 5;
  std::uint64_t seed = 0;
  bool common_initialization = false;
  bool moments = false;  ///< merges carry what optimisers remember
  std::string device = "cpu";
};

/// Error for an answer that is none; SettingError for a setting that the program rejects.
[[nodiscard]] ExternalFacts describe_external(Conversation& talk, const ExternalRequest& request);

/// The cell's robots and tests. Error for a network of which parts do not go together.
[[nodiscard]] std::unique_ptr<Workload> make_external_workload(std::shared_ptr<Conversation> talk,
                                                               const ExternalFacts& facts,
                                                               const ExternalRequest& request);

}  // namespace fleet
