use outrider_model::{bounds::*, rules::Broken, search::Search};
fn main() {
    let args: Vec<String> = std::env::args().collect();
    let reach = if args[1] == "long" { Reach::Long } else { Reach::Short };
    for bounds in scopes(reach, 3, args[2].parse().unwrap()) {
        if args.len() > 3 && !args[3].contains(bounds.name) {
            continue;
        }
        let begun = std::time::Instant::now();
        let mut s = Search::run(&bounds, Broken::Nothing, false);
        println!(
            "{} ops {} states {} transitions {} depth {} rounds {} stranded {} whole {} violations {} pairs {} in {:?}; devices {} servers {} changes {}",
            bounds.name,
            bounds.operations,
            s.states(),
            s.transitions,
            s.depth,
            s.rounds,
            s.stranded,
            s.is_whole,
            s.violations,
            s.cover.pairs(),
            begun.elapsed(),
            s.model.devices.len(),
            s.model.servers.len(),
            s.model.facts.changes.len()
        );
        for f in s.found.clone().into_iter().take(2) {
            println!("  {:?} {}", f.violation.promise, f.violation.words);
            println!("{}", s.show(&f.events).join("\n"));
        }
    }
}
