// The generated half of the package: a module of its own, because it takes minutes to compile and keeps no rules.
plugins {
    `java-library`
    alias(libs.plugins.kotlin.jvm)
}

/** Where `bindings/generate` has written: `-Poutrider.generated=FOLDER`. */
val generated = providers.gradleProperty("outrider.generated").orElse("../../../target/bindings/generated")

kotlin {
    jvmToolchain(17)
    compilerOptions { suppressWarnings = true }
    sourceSets.main { kotlin.srcDir(generated.map { "$it/kotlin" }) }
}

dependencies {
    // Android brings JNA as an AAR with its native half: compiled against here, and brought by those who run it.
    compileOnly(libs.jna)
}
