// The package for any JVM, Android's too: generated code and what makes it pleasant. No Android in here.
plugins {
    `java-library`
    alias(libs.plugins.kotlin.jvm)
}

/** Where `bindings/generate` has written: `-Poutrider.generated=FOLDER`. */
val generated = providers.gradleProperty("outrider.generated").orElse("../../../target/bindings/generated")

kotlin {
    explicitApi()
    jvmToolchain(17)
    sourceSets.main { kotlin.srcDir(generated.map { "$it/kotlin" }) }
}

dependencies {
    api(libs.coroutines)
    // Android brings JNA as an AAR with its native half: compiled against here, and brought by those who run it.
    compileOnly(libs.jna)
    testImplementation(libs.jna)
    testImplementation(libs.junit)
    testImplementation(kotlin("test-junit"))
}
