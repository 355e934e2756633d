// `fleet completion SHELL`: what a shell needs to complete command lines, from the tables of commands and keys.
#include <algorithm>
#include <iostream>
#include <set>
#include <sstream>

#include "base/error.hpp"
#include "command/commands.hpp"
#include "command/option.hpp"
#include "sweep/key_survey.hpp"

namespace fleet {
namespace {

namespace po = boost::program_options;

/// Words of a shell, each in quotes where it needs them.
std::string listed(std::span<const std::string> words) {
  std::string text;
  for (const std::string& word : words) text += cat(text.empty() ? "" : " ", shell_quoted(word));
  return text;
}

po::options_description options_of(const Command& command) {
  return command.options == nullptr ? po::options_description() : command.options();
}

/// "--output" and, where there is one, "-o".
std::vector<std::string> names_of(const po::option_description& option) {
  std::vector<std::string> names = {"--" + option.long_name()};
  const std::string canonical = option.canonical_display_name(po::command_line_style::allow_dash_for_short);
  if (canonical.starts_with('-') && !canonical.starts_with("--")) names.push_back(canonical);
  return names;
}

/// What may follow an option that takes a value, as the function of the script answers it.
std::string values_of(const po::option_description& option) {
  if (option.long_name() == "set") return "_fleet_keys";
  const auto* known = dynamic_cast<const OptionValues*>(option.semantic().get());
  if (known == nullptr) return "echo @files";
  return known->choices().empty() ? ":" : cat("printf '%s\\n' ", listed(known->choices()));
}

std::string answer_of(const Operand& operand, std::span<const WorldEntry> worlds) {
  if (operand.name == nullptr) return ":";
  if (operand.choices != nullptr) return cat("printf '%s\\n' ", listed(operand.choices(worlds)));
  if (operand.is == Operand::Is::kDirectory) return "echo @directories";
  return operand.is == Operand::Is::kFile ? cat("echo @files", operand.ending) : ":";
}

/// The part that bash and zsh read alike: _fleet_answer COMMAND WORD_BEFORE CURRENT prints candidates, a line each;
/// "@filesENDING" and "@directories" stand for such.
std::string answers(std::span<const Command> commands, std::span<const WorldEntry> worlds) {
  std::vector<std::string> keys;
  for (const SurveyedKey& key : survey_keys(worlds)) keys.push_back(key.key);
  std::ostringstream out;
  std::set<std::string> first;
  for (const Command& command : commands) first.emplace(command.name.substr(0, command.name.find(' ')));
  out << "_fleet_keys() {\n  printf '%s=\\n' " << listed(keys) << "\n  printf 'sweep.grid.%s=\\n' " << listed(keys)
      << "\n}\n_fleet_answer() {\n  case \"$1\" in\n  '') printf '%s\\n' "
      << listed(std::vector<std::string>(first.begin(), first.end())) << " --help --version ;;\n";
  for (const std::string& group : first) {
    std::vector<std::string> second;
    for (const Command& command : commands) {
      if (command.name.starts_with(group + " ")) second.emplace_back(command.name.substr(group.size() + 1));
    }
    if (!second.empty()) out << "  '" << group << "') printf '%s\\n' " << listed(second) << " --help ;;\n";
  }
  for (const Command& command : commands) {
    out << "  '" << command.name << "')\n    case \"$2\" in\n";
    std::vector<std::string> names = {"--help"};
    const po::options_description options = options_of(command);
    for (const auto& option : options.options()) {
      names.push_back("--" + option->long_name());
      if (option->semantic()->max_tokens() == 0) continue;
      const std::vector<std::string> spelt = names_of(*option);
      out << "    " << spelt.front();
      for (std::size_t i = 1; i < spelt.size(); ++i) out << " | " << spelt[i];
      out << ") " << values_of(*option) << " ;;\n";
    }
    out << "    *)\n      case \"$3\" in\n      -*) printf '%s\\n' " << listed(names) << " ;;\n      *) "
        << answer_of(command.operand, worlds) << " ;;\n      esac ;;\n    esac ;;\n";
  }
  out << "  esac\n}\n";
  // Which command the words before the cursor begin with: one word, or two where one alone is none.
  out << "_fleet_command() {\n  case \"$1 $2\" in\n";
  for (const Command& command : commands) {
    if (command.name.find(' ') != std::string_view::npos) out << "  '" << command.name << "') echo \"$1 $2\" ;;\n";
  }
  out << "  *) echo \"$1\" ;;\n  esac\n}\n";
  return out.str();
}

// COMP_WORDBREAKS splits words at "=", so that a key and its value are three.
constexpr std::string_view kBash = R"sh(_fleet_add() {
  mapfile -t -O "${#COMPREPLY[@]}" COMPREPLY
}
_fleet() {
  local current="${COMP_WORDS[COMP_CWORD]}" before='' command='' line
  local words=("${COMP_WORDS[@]:1:COMP_CWORD-1}")
  COMPREPLY=()
  if [ "${#words[@]}" -gt 0 ]; then
    before="${words[-1]}"
    command="$(_fleet_command "${words[0]}" "${words[1]:-}")"
  fi
  [ "$before" = '=' ] && return
  while IFS= read -r line; do
    case "$line" in
    '@directories') _fleet_add < <(compgen -d -- "$current") ;;
    '@files'*) _fleet_add < <(compgen -f -X "!*${line#@files}" -- "$current") ;;
    "$current"*) COMPREPLY+=("$line") ;;
    esac
    case "$line" in
    '@files'?*) _fleet_add < <(compgen -d -- "$current") ;;
    esac
    case "$line" in
    @*) compopt -o filenames 2>/dev/null ;;
    *=) compopt -o nospace 2>/dev/null ;;
    esac
  done < <(_fleet_answer "$command" "$before" "$current")
}
complete -F _fleet fleet
)sh";

constexpr std::string_view kZsh = R"sh(_fleet() {
  local before='' command='' line current="${words[CURRENT]}"
  local -a found keys
  if (( CURRENT > 2 )); then before="${words[CURRENT-1]}" command="$(_fleet_command "${words[2]}" "${${words[3]}:-}")"; fi
  (( CURRENT == 3 )) && command="${words[2]}"
  for line in "${(@f)$(_fleet_answer "$command" "$before" "$current")}"; do
    case "$line" in
    '@directories') _directories ;;
    '@files'?*) _files -g "*${line#@files}" ;;
    '@files') _files ;;
    *=) keys+=("$line") ;;
    ?*) found+=("$line") ;;
    esac
  done
  (( ${#keys} )) && compadd -S '' -- "${keys[@]}"
  (( ${#found} )) && compadd -- "${found[@]}"
}
compdef _fleet fleet
)sh";

std::vector<std::string> shells(std::span<const WorldEntry> /*worlds*/) {
  return {"bash", "zsh"};
}

int print_completion(const Call& call) {
  const std::string& shell = call.get("SHELL");
  if (std::ranges::count(shells({}), shell) == 0)
    throw ConfigError(cat("there is no completion for ", shell, ": expected bash or zsh"));
  std::cout << "# Completion of fleet: source <(fleet completion " << shell << ")\n"
            << answers(all_commands(call.worlds), call.worlds) << (shell == "bash" ? kBash : kZsh);
  return 0;
}

}  // namespace

Command command::completion() {
  return {.name = "completion",
          .summary = "what a shell needs to complete command lines: source <(fleet completion bash)",
          .usage = "bash|zsh",
          .operand = {.name = "SHELL", .choices = shells},
          .run = print_completion};
}

}  // namespace fleet
