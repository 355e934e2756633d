// What the commands on a configuration share: CONFIG, --set and --output.
#pragma once

#include <boost/program_options.hpp>

#include <filesystem>
#include <span>
#include <string>

#include "command/command.hpp"
#include "sweep/cell.hpp"

namespace fleet {

inline constexpr Operand kConfig = {.name = "CONFIG", .is = Operand::Is::kFile, .ending = ".toml"};

/// "set" and "output".
[[nodiscard]] boost::program_options::options_description sweep_options();

/// The positional argument.
[[nodiscard]] std::filesystem::path config_of(const boost::program_options::variables_map& values);

/// The sweep of a configuration file, whose contents are `text`, with what the command line changes. The worlds that it
/// names are made, in `made`. ConfigError names what is wrong and where.
[[nodiscard]] Sweep read_sweep(const boost::program_options::variables_map& values, const std::string& text,
                               std::span<const WorldEntry> worlds, Worlds& made);

}  // namespace fleet
