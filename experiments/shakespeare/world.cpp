#include "shakespeare/world.hpp"

#include <array>

#include "shakespeare/commands.hpp"
#include "shakespeare/text_learner.hpp"

namespace fleet {
namespace {

std::span<const Command> commands() {
  static const std::array kCommands = {sample_command(), data_show_command()};
  return kCommands;
}

constexpr std::string_view kStart = R"(# The plays: fleet data fetch shakespeare

[data]
dataset = "shakespeare"
window = 40
held_out = 0.1

[fleet]
robots = 4
partition = "natural"

[model]
kind = "rnn"
hidden = [32]

[train]
epochs = 1
batch_size = 32
learning_rate = 5e-3

[merge]
every_epochs = 0

# Every combination of these is a cell.
[sweep.grid]
merge.method = ["average", "regression"]
seed = [0, 1]
)";

}  // namespace

WorldEntry shakespeare_world() {
  return {.name = "shakespeare",
          .summary = "the next character of what roles in plays say (Appendix F)",
          .make = [] { return make_text_world(text_learner()); },
          .commands = commands,
          .start = kStart};
}

}  // namespace fleet
